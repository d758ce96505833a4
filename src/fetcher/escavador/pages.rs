//! When a walk over the movements goes on, with which address, and when it is broken off. Pure.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::wire::{Movimentacao, Page};
use crate::fetcher::messages::Failure;

/// The page sizes to ask for: the largest of today's documentation, then the largest of older copies of it.
const LARGEST: u32 = 500;
const LARGEST_OF_OLD: u32 = 100;

/// What comes after a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// That was the last one: the process is whole.
    Whole,
    /// Ask for this path next, on our own base.
    Ask(String),
}

/// A walk from the first page of movements to the last.
#[derive(Debug)]
pub(super) struct Walk {
    movements_path: String,
    limit: u32,
    max_pages: u32,
    pages: u32,
    /// What was asked for last, and how it came about.
    asked: Asked,
    /// Links followed so far, as the vendor wrote them behind the host.
    links: HashSet<String>,
    cursors: HashSet<String>,
    movements: HashSet<Identity>,
    keep_limit: KeepLimit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    First,
    /// The vendor's link as it is.
    Verbatim(String),
    /// The vendor's link (here) with our limit put back.
    WithLimit(String),
}

/// Whether our limit is put back into links that have lost it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeepLimit {
    /// No link has shortened a page so far.
    NotNeeded,
    /// A page behind a link without the limit was shorter than what we had asked for.
    Needed,
    /// The vendor refused it.
    Refused,
}

/// What makes a movement the same on two pages: the vendor's id, or its content and which of the page's equals it is.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Identity {
    Vendor(i64),
    Content(u64, u32),
}

impl Walk {
    /// A walk over the movements of the process whose path this is (`/api/v2/processos/numero_cnj/{n}`), of `max_pages` at most.
    pub(super) fn new(process_path: &str, max_pages: u32) -> Self {
        Self {
            movements_path: format!("{process_path}/movimentacoes"),
            limit: LARGEST,
            max_pages: max_pages.max(1),
            pages: 0,
            asked: Asked::First,
            links: HashSet::new(),
            cursors: HashSet::new(),
            movements: HashSet::new(),
            keep_limit: KeepLimit::NotNeeded,
        }
    }

    /// The path of the first page.
    pub(super) fn first(&self) -> String {
        format!("{}?limit={}", self.movements_path, self.limit)
    }

    /// Whether nothing but the first page was asked for.
    pub(super) fn is_at_first(&self) -> bool {
        self.asked == Asked::First
    }

    /// What to ask instead of a page that the vendor refused (422), if it was our limit that it may have refused.
    pub(super) fn refused(&mut self) -> Option<String> {
        match self.asked.clone() {
            Asked::First if self.limit == LARGEST => {
                self.limit = LARGEST_OF_OLD;
                Some(self.first())
            }
            Asked::WithLimit(link) => {
                self.keep_limit = KeepLimit::Refused;
                self.asked = Asked::Verbatim(link.clone());
                Some(link)
            }
            Asked::First | Asked::Verbatim(_) => None,
        }
    }

    /// What comes after `page`.
    ///
    /// # Errors
    /// [`Failure::Unreadable`] when a full page does not say whether it is the last. [`Failure::EndlessPages`] when the pages would not end, or lead nowhere: more of them than allowed, a link or cursor that was
    /// there before, a page with a successor and nothing new in it, a link that is no path of the API.
    pub(super) fn after(&mut self, page: &Page) -> Result<Step, Failure> {
        self.pages = self.pages.saturating_add(1);
        let has_news = self.remember(&page.items);
        let is_short = u32::try_from(page.items.len()).is_ok_and(|items| items < self.limit);
        let Some(next) = &page.next else {
            return if page.has_links || is_short { Ok(Step::Whole) } else { Err(Failure::Unreadable) };
        };
        let link = path_on_our_base(next).ok_or(Failure::EndlessPages)?;
        let is_new_cursor = parameter(link, "cursor").is_none_or(|cursor| self.cursors.insert(cursor.to_owned()));
        let is_new_link = link != self.first() && self.links.insert(link.to_owned());
        if self.pages >= self.max_pages || !has_news || !is_new_cursor || !is_new_link {
            return Err(Failure::EndlessPages);
        }
        self.notice_a_lost_limit(is_short);
        Ok(Step::Ask(self.follow(link)))
    }

    /// A link that does not repeat our limit gives pages of the vendor's default size: twenty-five times the requests.
    fn notice_a_lost_limit(&mut self, is_short: bool) {
        let lost = matches!(&self.asked, Asked::Verbatim(link) if parameter(link, "limit").is_none());
        if self.keep_limit == KeepLimit::NotNeeded && lost && is_short {
            self.keep_limit = KeepLimit::Needed;
        }
    }

    fn follow(&mut self, link: &str) -> String {
        let put_back = self.keep_limit == KeepLimit::Needed && parameter(link, "limit").is_none();
        if put_back {
            self.asked = Asked::WithLimit(link.to_owned());
            let separator = if link.contains('?') { '&' } else { '?' };
            format!("{link}{separator}limit={}", self.limit)
        } else {
            self.asked = Asked::Verbatim(link.to_owned());
            link.to_owned()
        }
    }

    /// Remembers a page's movements; whether one of them is new.
    fn remember(&mut self, items: &[Movimentacao]) -> bool {
        let mut equals: HashMap<u64, u32> = HashMap::new();
        let mut has_news = false;
        for item in items {
            let identity = match item.id {
                Some(id) => Identity::Vendor(id),
                None => {
                    let mut hasher = DefaultHasher::new();
                    item.hash(&mut hasher);
                    let content = hasher.finish();
                    let ordinal = equals.entry(content).or_default();
                    *ordinal = ordinal.saturating_add(1);
                    Identity::Content(content, *ordinal)
                }
            };
            has_news |= self.movements.insert(identity);
        }
        has_news
    }
}

/// The part of a vendor's link that is followed: from `/api/v` and its number on, whatever host stands before it.
///
/// What is asked is our own base with this behind it. So the key goes to no other host, and a link written with `http://`, as some
/// are, does not take it out of TLS.
fn path_on_our_base(link: &str) -> Option<&str> {
    link.match_indices("/api/v").find_map(|(at, found)| {
        let path = link.get(at..)?;
        let version = path.get(found.len()..)?.split('/').next()?;
        let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        let has_more = path.len() > found.len() + version.len();
        (is_version && has_more).then_some(path)
    })
}

/// The first value of a query parameter, as it is written.
fn parameter<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let (_path, query) = path.split_once('?')?;
    let query = query.split('#').next()?;
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _value)| *key == name))
        .map(|(_key, value)| value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const PROCESS: &str = "/api/v2/processos/numero_cnj/0000001-39.2024.8.26.0100";

    fn page(ids: impl IntoIterator<Item = i64>, next: Option<&str>) -> Page {
        let items: Vec<_> = ids.into_iter().map(|id| json!({"id": id})).collect();
        Page::decode(json!({"items": items, "links": {"next": next}})).unwrap()
    }

    fn link(cursor: &str) -> String {
        format!("https://api.escavador.com{PROCESS}/movimentacoes?limit=500&cursor={cursor}&li=1")
    }

    #[test]
    fn a_walk_goes_from_the_largest_page_to_the_last_link() {
        let mut walk = Walk::new(PROCESS, 10);
        assert_eq!(walk.first(), format!("{PROCESS}/movimentacoes?limit=500"));
        let next = format!("{PROCESS}/movimentacoes?limit=500&cursor=a&li=1");
        assert_eq!(walk.after(&page([3, 2], Some(&link("a")))), Ok(Step::Ask(next)));
        assert_eq!(walk.after(&page([1], None)), Ok(Step::Whole));
        assert_eq!(Walk::new(PROCESS, 1).after(&page([], None)), Ok(Step::Whole));
    }

    #[test]
    fn only_the_path_of_a_link_is_followed() {
        let path = "/api/v2/x?cursor=a";
        for host in
            ["https://api.escavador.com", "http://api.escavador.com", "https://evil.example:9", "//evil.example", ""]
        {
            assert_eq!(path_on_our_base(&format!("{host}{path}")), Some(path));
        }
        assert_eq!(path_on_our_base("https://evil.example/api/vx/api/v2/x"), Some("/api/v2/x"));
        assert_eq!(path_on_our_base("https://user:pass@evil.example/?to=/api/v1/y"), Some("/api/v1/y"));
        for nowhere in ["https://evil.example/x", "", "/api/v", "/api/v2", "/api/vé/x", "/api/v2x/y", "javascript:1"] {
            assert_eq!(path_on_our_base(nowhere), None, "{nowhere:?}");
        }
    }

    #[test]
    fn pages_that_would_not_end_are_broken_off() {
        let after = |pages: &[Page]| {
            let mut walk = Walk::new(PROCESS, 3);
            pages.iter().map(|page| walk.after(page)).find(Result::is_err)
        };
        let endless = Some(Err(Failure::EndlessPages));
        let first = format!("https://api.escavador.com{PROCESS}/movimentacoes?limit=500");
        assert_eq!(after(&[page([1], Some(&first))]), endless, "a link to the page itself");
        assert_eq!(after(&[page([1], Some("https://evil.example/other"))]), endless, "no path of the api");
        assert_eq!(after(&[page([], Some(&link("a")))]), endless, "an empty page with a successor");
        assert_eq!(after(&[page([1], Some(&link("a"))), page([2], Some(&link("a")))]), endless, "the same link");
        let disguised = format!("{}&again=1", link("a"));
        assert_eq!(after(&[page([1], Some(&link("a"))), page([2], Some(&disguised))]), endless, "the same cursor");
        assert_eq!(after(&[page([1], Some(&link("a"))), page([1], Some(&link("b")))]), endless, "nothing new");
        let pages: Vec<Page> = (0..3).map(|id| page([id], Some(&link(&id.to_string())))).collect();
        assert_eq!(after(&pages), endless, "more pages than allowed");
        assert_eq!(after(&pages[..2]), None);
        assert_eq!(after(&[page([1], Some(&link("a"))), page([1], None)]), None, "the last page may repeat");
    }

    #[test]
    fn movements_without_an_id_are_told_apart_by_content() {
        let item = json!({"data": "2024-01-01", "conteudo": "EXPEDIDO CERTIDAO"});
        let of = |count: usize, next: &str| {
            Page::decode(json!({"items": vec![item.clone(); count], "links": {"next": next}})).unwrap()
        };
        let mut walk = Walk::new(PROCESS, 9);
        assert!(walk.after(&of(1, &link("a"))).is_ok());
        assert!(walk.after(&of(2, &link("b"))).is_ok(), "the second of two equals is new");
        assert_eq!(walk.after(&of(2, &link("c"))), Err(Failure::EndlessPages));
    }

    #[test]
    fn a_refused_size_is_asked_once_more_with_the_older_one() {
        let mut walk = Walk::new(PROCESS, 9);
        assert_eq!(walk.refused(), Some(format!("{PROCESS}/movimentacoes?limit=100")));
        assert_eq!(walk.refused(), None);
    }

    #[test]
    fn without_links_only_a_short_page_is_the_last() {
        let unlinked = |count: i64| {
            let items: Vec<_> = (0..count).map(|id| json!({"id": id})).collect();
            Page::decode(json!({"items": items})).unwrap()
        };
        assert_eq!(Walk::new(PROCESS, 10).after(&unlinked(499)), Ok(Step::Whole));
        assert_eq!(Walk::new(PROCESS, 10).after(&unlinked(500)), Err(Failure::Unreadable));
    }

    #[test]
    fn a_limit_that_the_links_lose_is_put_back_unless_the_vendor_minds() {
        let bare = |cursor: &str| format!("{PROCESS}/movimentacoes?cursor={cursor}");
        let mut walk = Walk::new(PROCESS, 9);
        assert_eq!(walk.after(&page(0..500, Some(&bare("a")))), Ok(Step::Ask(bare("a"))), "verbatim at first");
        let with_limit = format!("{}&limit=500", bare("b"));
        assert_eq!(walk.after(&page(500..520, Some(&bare("b")))), Ok(Step::Ask(with_limit)));
        assert_eq!(walk.refused(), Some(bare("b")));
        assert_eq!(walk.after(&page(520..540, Some(&bare("c")))), Ok(Step::Ask(bare("c"))));
        assert_eq!(walk.refused(), None);
    }

    proptest! {
        #[test]
        fn every_walk_ends_within_its_pages(
            max_pages in 1_u32..20,
            links in prop::collection::vec(prop::option::weighted(0.95, "(https?://[a-z.]{1,9})?/api/v2/[a-z]\\?cursor=[a-z]{0,2}"), 40),
        ) {
            let mut walk = Walk::new(PROCESS, max_pages);
            let mut asked = 0;
            for (id, next) in (0..).zip(links) {
                asked += 1;
                match walk.after(&page([id], next.as_deref())) {
                    Ok(Step::Ask(path)) => prop_assert!(path.starts_with("/api/v2/")),
                    Ok(Step::Whole) | Err(_) => break,
                }
            }
            prop_assert!(asked <= max_pages);
        }
    }
}
