//! When a search goes on, with which page, and when it is broken off. Pure.

use serde_json::{Value, json};

use super::wire::Answer;
use crate::domain::cnj::Cnj;
use crate::fetcher::messages::Failure;

/// What comes after a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// That was the last one.
    Whole,
    /// Send this next.
    Ask(Value),
}

/// A search for one number in one index, from the first page to the last.
#[derive(Debug)]
pub(super) struct Pages {
    digits: String,
    size: u32,
    max_pages: u32,
    pages: u32,
    received: u64,
    after: Option<Value>,
}

impl Pages {
    /// A search of `max_pages` pages at most, of `size` hits each.
    pub(super) fn new(cnj: &Cnj, size: u32, max_pages: u32) -> Self {
        let digits = cnj.digits().to_owned();
        Self { digits, size: size.clamp(1, 10_000), max_pages: max_pages.max(1), pages: 0, received: 0, after: None }
    }

    /// What to send first. The order is there from the beginning, because a later page is found by the last hit's place in it; it is
    /// by `@timestamp`, because every text field refuses to be an order (400).
    pub(super) fn query(&self) -> Value {
        let mut query = json!({
            "query": {"match": {"numeroProcesso": self.digits}},
            "size": self.size,
            "sort": [{"@timestamp": {"order": "asc"}}],
        });
        if let (Some(after), Some(keys)) = (&self.after, query.as_object_mut()) {
            keys.insert("search_after".to_owned(), after.clone());
        }
        query
    }

    /// Whether nothing but the first page was asked for.
    pub(super) fn is_at_first(&self) -> bool {
        self.pages == 0
    }

    /// What comes after `answer`.
    ///
    /// # Errors
    /// [`Failure::Unreadable`] when hits that were promised do not come, as when two share their place in the order and a page ends
    /// between them. [`Failure::EndlessPages`] beyond the most pages, or when a page leads to itself.
    pub(super) fn after(&mut self, answer: &Answer) -> Result<Step, Failure> {
        self.pages = self.pages.saturating_add(1);
        let here = u64::try_from(answer.hits.len()).unwrap_or(u64::MAX);
        self.received = self.received.saturating_add(here);
        let is_full = here >= u64::from(self.size);
        match answer.total {
            Some(total) if self.received >= total => return Ok(Step::Whole),
            None if !is_full => return Ok(Step::Whole),
            Some(_) if !is_full => return Err(Failure::Unreadable),
            Some(_) | None => {}
        }
        let last = answer.hits.last().and_then(|hit| hit.sort.clone()).ok_or(Failure::Unreadable)?;
        if self.pages >= self.max_pages || self.after.as_ref() == Some(&last) {
            return Err(Failure::EndlessPages);
        }
        self.after = Some(last);
        Ok(Step::Ask(self.query()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cnj() -> Cnj {
        Cnj::parse("0000001-39.2024.8.26.0100").unwrap()
    }

    fn page(places: &[i64], total: Value) -> Answer {
        let hit = |place: &i64| json!({"_source": {"numeroProcesso": "1"}, "sort": [place]});
        let hits: Vec<Value> = places.iter().map(hit).collect();
        Answer::decode(json!({"hits": {"total": total, "hits": hits}})).unwrap()
    }

    fn exactly(total: u64) -> Value {
        json!({"value": total, "relation": "eq"})
    }

    #[test]
    fn one_page_is_usually_all() {
        let mut pages = Pages::new(&cnj(), 10, 10);
        assert_eq!(pages.query()["query"]["match"]["numeroProcesso"], "00000013920248260100");
        assert_eq!(pages.query()["sort"], json!([{"@timestamp": {"order": "asc"}}]));
        assert!(pages.is_at_first() && pages.query().get("search_after").is_none());
        assert_eq!(pages.after(&page(&[1, 2], exactly(2))), Ok(Step::Whole));
        assert_eq!(Pages::new(&cnj(), 10, 10).after(&page(&[], exactly(0))), Ok(Step::Whole));
        assert_eq!(Pages::new(&cnj(), 2, 10).after(&page(&[1, 2], exactly(2))), Ok(Step::Whole), "full, and all");
        assert_eq!(Pages::new(&cnj(), 2, 10).after(&page(&[1], json!(null))), Ok(Step::Whole), "short, no total");
    }

    #[test]
    fn a_later_page_starts_behind_the_last_hit() {
        let mut pages = Pages::new(&cnj(), 2, 10);
        let Ok(Step::Ask(query)) = pages.after(&page(&[1, 2], exactly(3))) else { panic!("there is more") };
        assert_eq!((&query["search_after"], &query["size"]), (&json!([2]), &json!(2)));
        assert_eq!(pages.after(&page(&[3], exactly(3))), Ok(Step::Whole));
        let lower_bound = json!({"value": 10_000, "relation": "gte"});
        let mut pages = Pages::new(&cnj(), 2, 10);
        assert!(matches!(pages.after(&page(&[1, 2], lower_bound.clone())), Ok(Step::Ask(_))));
        assert_eq!(pages.after(&page(&[3], lower_bound)), Ok(Step::Whole));
    }

    #[test]
    fn a_search_that_loses_hits_or_does_not_end_is_broken_off() {
        let after = |size: u32, answers: &[Answer]| {
            let mut pages = Pages::new(&cnj(), size, 3);
            answers.iter().map(|answer| pages.after(answer)).find_map(Result::err)
        };
        assert_eq!(after(10, &[page(&[1], exactly(2))]), Some(Failure::Unreadable), "a short page of more");
        let lost = [page(&[1, 2], exactly(4)), page(&[3], exactly(4))];
        assert_eq!(after(2, &lost), Some(Failure::Unreadable), "one fell between the pages");
        let unsorted = json!({"hits": {"total": 9, "hits": [{"_source": {"numeroProcesso": "1"}}]}});
        assert_eq!(after(1, &[Answer::decode(unsorted).unwrap()]), Some(Failure::Unreadable), "nowhere to go on");
        let stuck = [page(&[1], exactly(9)), page(&[1], exactly(9))];
        assert_eq!(after(1, &stuck), Some(Failure::EndlessPages), "a page that leads to itself");
        let many: Vec<Answer> = (0..3).map(|place| page(&[place], exactly(9))).collect();
        assert_eq!(after(1, &many), Some(Failure::EndlessPages), "more pages than allowed");
        assert_eq!(after(1, &many[..2]), None);
    }
}
