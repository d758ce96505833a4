//! What a request's own headers ask of a cache: `Cache-Control`, `Pragma`, `If-None-Match` (RFC 9110, RFC 9111).
//!
//! Unknown and malformed directives are ignored, as RFC 9111 wants; so is `no-cache` with an argument, which has no meaning in
//! a request and would cost money.

use std::time::Duration;

use crate::coordinator::messages::{Demand, Reach};

/// What a request's cache headers and `force_refresh` add up to.
///
/// `pragma` counts only when there is no `Cache-Control` at all. Of a directive given twice the stricter one counts.
/// `only-if-cached` is never overruled: together with `no-cache` or `force_refresh` no copy is acceptable and none may be
/// fetched, so that nothing is spent and nothing is found.
#[must_use]
pub fn demand<'a>(
    cache_control: impl Iterator<Item = &'a [u8]>,
    pragma: impl Iterator<Item = &'a [u8]>,
    force_refresh: bool,
) -> Demand {
    let mut asked = Asked { no_cache: force_refresh, ..Asked::default() };
    let mut has_cache_control = false;
    for line in cache_control {
        has_cache_control = true;
        members(line).for_each(|member| asked.add(member));
    }
    if !has_cache_control {
        asked.no_cache |= pragma.flat_map(members).any(|member| member.eq_ignore_ascii_case(b"no-cache"));
    }
    let Asked { no_cache, only_if_cached, max_age, max_stale } = asked;
    let patient = false;
    match (only_if_cached, no_cache) {
        (true, true) => Demand { reach: Reach::Held, max_age: Some(Duration::ZERO), max_stale: None, patient },
        (true, false) => Demand { reach: Reach::Held, max_age, max_stale, patient },
        (false, true) => Demand { reach: Reach::Refresh, max_age, max_stale, patient },
        (false, false) => Demand { reach: Reach::Vendor, max_age, max_stale, patient },
    }
}

/// Whether `If-None-Match` names `etag`, compared weakly; `*` names any.
#[must_use]
pub fn none_match_names<'a>(mut if_none_match: impl Iterator<Item = &'a [u8]>, etag: &str) -> bool {
    let wanted = opaque(etag.as_bytes());
    if_none_match
        .any(|line| members(line).any(|member| member == b"*" || (is_entity_tag(member) && opaque(member) == wanted)))
}

#[derive(Default)]
struct Asked {
    no_cache: bool,
    only_if_cached: bool,
    max_age: Option<Duration>,
    max_stale: Option<Duration>,
}

impl Asked {
    fn add(&mut self, member: &[u8]) {
        let (name, argument) = match member.iter().position(|byte| *byte == b'=') {
            None => (member, None),
            Some(at) => match member.split_at_checked(at) {
                Some((name, [_, argument @ ..])) => (name, Some(argument)),
                _ => return,
            },
        };
        let is = |word: &[u8]| name.eq_ignore_ascii_case(word);
        match argument {
            None if is(b"no-cache") => self.no_cache = true,
            None if is(b"only-if-cached") => self.only_if_cached = true,
            None if is(b"max-stale") => tighten(&mut self.max_stale, Some(Duration::MAX)),
            Some(argument) if is(b"max-stale") => tighten(&mut self.max_stale, delta_seconds(argument)),
            Some(argument) if is(b"max-age") => tighten(&mut self.max_age, delta_seconds(argument)),
            _ => {}
        }
    }
}

fn tighten(slot: &mut Option<Duration>, given: Option<Duration>) {
    if let Some(given) = given {
        *slot = Some(slot.map_or(given, |held| held.min(given)));
    }
}

/// Seconds, bare or quoted; more than can be counted is the most that RFC 9111 makes everyone count to.
fn delta_seconds(argument: &[u8]) -> Option<Duration> {
    const MOST: u64 = 1 << 31;
    let digits = match argument {
        [b'"', digits @ .., b'"'] => digits,
        digits => digits,
    };
    if digits.is_empty() {
        return None;
    }
    digits
        .iter()
        .try_fold(0_u64, |seconds, byte| {
            byte.is_ascii_digit().then(|| seconds.saturating_mul(10).saturating_add(u64::from(byte - b'0')).min(MOST))
        })
        .map(Duration::from_secs)
}

/// The members of a comma-separated list; commas inside quotes separate nothing.
fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    line.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    })
    .map(<[u8]>::trim_ascii)
    .filter(|member| !member.is_empty())
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

fn is_entity_tag(tag: &[u8]) -> bool {
    matches!(opaque(tag), [b'"', inner @ .., b'"'] if !inner.contains(&b'"'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(cache_control: &[&str], pragma: &[&str], force: bool) -> Demand {
        let bytes = |lines: &[&str]| lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>();
        let (cache_control, pragma) = (bytes(cache_control), bytes(pragma));
        demand(cache_control.iter().map(Vec::as_slice), pragma.iter().map(Vec::as_slice), force)
    }

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn directives_become_a_demand() {
        let any = Demand::default();
        let refresh = Demand { reach: Reach::Refresh, ..any };
        let held = Demand { reach: Reach::Held, ..any };
        for (line, expected) in [
            ("", any),
            ("no-store, no-transform, community=\"UCI, x\"", any),
            ("No-Cache", refresh),
            ("no-cache=\"set-cookie\"", any),
            ("x=\"no-cache, only-if-cached\"", any),
            ("only-if-cached", held),
            ("only-if-cached=1", any),
            ("max-age=60", Demand { max_age: seconds(60), ..any }),
            ("max-age=\"60\"", Demand { max_age: seconds(60), ..any }),
            ("max-age=60, max-age=5, max-age=30", Demand { max_age: seconds(5), ..any }),
            ("max-age=99999999999999999999999", Demand { max_age: seconds(1 << 31), ..any }),
            ("max-age, max-age=, max-age=-1, max-age=x, max-age=1s, max-age=\"", any),
            ("max-stale", Demand { max_stale: Some(Duration::MAX), ..any }),
            ("max-stale , max-stale = 5", Demand { max_stale: Some(Duration::MAX), ..any }),
            ("max-stale, max-stale=5", Demand { max_stale: seconds(5), ..any }),
            ("max-stale=abc", any),
            ("only-if-cached, max-stale=7,max-age=9", Demand { max_age: seconds(9), max_stale: seconds(7), ..held }),
            ("only-if-cached, no-cache", Demand { max_age: seconds(0), ..held }),
        ] {
            assert_eq!(read(&[line], &[], false), expected, "{line}");
        }
        assert_eq!(read(&["max-age=60", "no-cache"], &[], false), Demand { max_age: seconds(60), ..refresh });
    }

    #[test]
    fn pragma_counts_only_alone() {
        assert_eq!(read(&[], &["no-cache"], false).reach, Reach::Refresh);
        assert_eq!(read(&["max-age=60"], &["no-cache"], false).reach, Reach::Vendor);
        assert_eq!(read(&[], &["xyz"], false).reach, Reach::Vendor);
    }

    #[test]
    fn force_refresh_spends_nothing_where_only_a_copy_is_wanted() {
        assert_eq!(read(&[], &[], true).reach, Reach::Refresh);
        assert_eq!(read(&["only-if-cached"], &[], true).reach, Reach::Held);
    }

    #[test]
    fn entity_tags_compare_weakly() {
        let names = |lines: &[&str]| none_match_names(lines.iter().map(|line| line.as_bytes()), "W/\"ab,c\"");
        for lines in [&["W/\"ab,c\""][..], &["\"ab,c\""], &["*"], &["\"x\", W/\"y\" ,\"ab,c\""], &["\"x\"", "\"ab,c\""]]
        {
            assert!(names(lines), "{lines:?}");
        }
        for lines in [&[][..], &[""], &["\"x\""], &["ab,c"], &["\"ab"], &["w/\"ab,c\""], &["\"ab,c"]] {
            assert!(!names(lines), "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(line in any::<Vec<u8>>()) {
            let _ = demand([line.as_slice()].into_iter(), [line.as_slice()].into_iter(), false);
            let _ = none_match_names([line.as_slice()].into_iter(), "W/\"a\"");
        }
    }
}
