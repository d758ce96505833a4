//! The headers that tell how an answer came about and how long it is good: pure, from what was served and the time.
//!
//! This is on the path of every near hit, so all values of one answer are written into one buffer and cut out of it.

use std::time::Duration;

use actix_web::http::header::{AGE, CACHE_CONTROL, CACHE_STATUS, ETAG, HeaderMap, HeaderName, HeaderValue};
use bytes::{BufMut, BytesMut};
use chrono::{DateTime, Utc};

use super::state::HttpSettings;
use crate::coordinator::messages::Served;
use crate::coordinator::trail::{Finding, Tier, Visit};
use crate::domain::served::{Freshness, ServedFrom, StaleReason};

/// Centavos that this lookup spent.
pub static X_JUSCACHE_COST: HeaderName = HeaderName::from_static("x-juscache-cost");
/// What each tier took.
pub static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// All values of a near hit fit, so that the buffer never grows on that path.
const USUAL_LENGTH: usize = 256;

/// Adds `Cache-Status`, `Age`, `ETag`, `Cache-Control`, `Server-Timing` and `X-Juscache-Cost`.
///
/// `max-age` is the whole lifetime of a fresh copy, from when it was fetched, because whoever reads it subtracts `Age`
/// (RFC 9111, 4.2); 0 for a stale copy.
pub fn write(headers: &mut HeaderMap, served: &Served, etag: &str, now: DateTime<Utc>, settings: &HttpSettings) {
    let header = served.entry.header();
    let ttl = (header.fresh_until - now).num_seconds();
    let mut line = Line(BytesMut::with_capacity(USUAL_LENGTH));

    cache_status(&mut line, served, ttl);
    if !line.0.is_empty() {
        headers.insert(CACHE_STATUS, line.take());
    }
    line.number(age(served, now));
    headers.insert(AGE, line.take());
    line.text(etag);
    headers.insert(ETAG, line.take());
    let max_age = match served.freshness {
        Freshness::Fresh => u64::try_from((header.fresh_until - header.version.fetched_at).num_seconds()).unwrap_or(0),
        Freshness::Stale(_) => 0,
    };
    line.text("private, max-age=");
    line.number(max_age);
    line.text(", stale-while-revalidate=");
    line.number(settings.stale_while_revalidate.as_secs());
    line.text(", stale-if-error=");
    line.number(settings.stale_if_error.as_secs());
    headers.insert(CACHE_CONTROL, line.take());
    server_timing(&mut line, served);
    if !line.0.is_empty() {
        headers.insert(SERVER_TIMING.clone(), line.take());
    }
    line.number(served.cost_centavos);
    headers.insert(X_JUSCACHE_COST.clone(), line.take());
}

/// How long ago what was served had been fetched, in seconds; 0 if the clock went back since.
#[must_use]
pub fn age(served: &Served, now: DateTime<Utc>) -> u64 {
    u64::try_from((now - served.entry.header().version.fetched_at).num_seconds()).unwrap_or(0)
}

/// RFC 9211: one member for each cache asked, origin side first. The vendor is no cache: that it was asked shows in the
/// `fwd-status` of the cache next to it.
fn cache_status(line: &mut Line, served: &Served, ttl: i64) {
    let answered = Some(tier_of(served.from)).filter(|tier| *tier != Tier::Upstream);
    let visits = || served.trail.visits().filter(|visit| visit.tier != Tier::Upstream);
    let nearest = visits().next().map(|visit| visit.tier);
    let mut deepest = true;
    for visit in visits().rev() {
        if !deepest {
            line.text(", ");
        }
        line.text("juscache-");
        line.text(visit.tier.as_str());
        if answered == Some(visit.tier) {
            line.text("; hit; ttl=");
            line.signed(ttl);
            if let Some(detail) = stale_detail(served.freshness) {
                line.text("; detail=");
                line.text(detail);
            }
        } else {
            forwarded(line, visit);
            if deepest && answered.is_none() {
                line.text("; fwd-status=200");
                if !matches!(visit.finding, Finding::Failed(_)) {
                    line.text("; stored");
                }
            }
        }
        if served.collapsed && nearest == Some(visit.tier) {
            line.text("; collapsed");
        }
        deepest = false;
    }
}

/// Where the copy that answered is kept.
#[must_use]
pub fn tier_of(from: ServedFrom) -> Tier {
    match from {
        ServedFrom::Memory => Tier::Near,
        ServedFrom::Redis => Tier::Redis,
        ServedFrom::Database | ServedFrom::DatabaseFallback => Tier::Postgres,
        ServedFrom::Api => Tier::Upstream,
    }
}

/// Why a stale copy was good enough. Nothing, where the reader said so itself.
fn stale_detail(freshness: Freshness) -> Option<&'static str> {
    match freshness {
        Freshness::Fresh | Freshness::Stale(None) => None,
        Freshness::Stale(Some(StaleReason::Revalidating)) => Some("revalidating"),
        Freshness::Stale(Some(_)) => Some("fail-safe"),
    }
}

fn forwarded(line: &mut Line, visit: Visit) {
    match visit.finding {
        Finding::Hit => line.text("; hit"),
        Finding::Miss => line.text("; fwd=uri-miss"),
        Finding::Stale => line.text("; fwd=stale"),
        Finding::Bypassed => line.text("; fwd=request"),
        Finding::Failed(word) => {
            line.text("; fwd=miss; detail=");
            line.token(word);
        }
    }
}

fn server_timing(line: &mut Line, served: &Served) {
    for visit in served.trail.visits() {
        if !line.0.is_empty() {
            line.text(", ");
        }
        line.text(visit.tier.as_str());
        line.text(";dur=");
        line.milliseconds(visit.took);
    }
}

/// Header values, one after the other in one allocation.
struct Line(BytesMut);

impl Line {
    fn text(&mut self, text: &str) {
        self.0.put_slice(text.as_bytes());
    }

    /// A structured field's token: whatever may not stand in one becomes a hyphen.
    fn token(&mut self, word: &str) {
        let is_allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'*');
        if !word.starts_with(|first: char| first.is_ascii_alphabetic()) {
            self.0.put_u8(b'x');
        }
        word.bytes().for_each(|byte| self.0.put_u8(if is_allowed(byte) { byte } else { b'-' }));
    }

    fn number(&mut self, mut value: u64) {
        let mut digits = [b'0'; 20];
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit += u8::try_from(value % 10).unwrap_or_default();
            value /= 10;
            used += 1;
            if value == 0 {
                break;
            }
        }
        self.0.put_slice(digits.get(digits.len() - used..).unwrap_or_default());
    }

    fn signed(&mut self, value: i64) {
        if value < 0 {
            self.0.put_u8(b'-');
        }
        self.number(value.unsigned_abs());
    }

    /// With two decimals, which is where a near copy's time shows.
    fn milliseconds(&mut self, took: Duration) {
        let hundredths = u64::try_from(took.as_micros() / 10).unwrap_or(u64::MAX);
        self.number(hundredths / 100);
        self.0.put_u8(b'.');
        if hundredths % 100 < 10 {
            self.0.put_u8(b'0');
        }
        self.number(hundredths % 100);
    }

    /// What was written since the last cut.
    fn take(&mut self) -> HeaderValue {
        // Only visible ASCII is written here; the alternative only spares a panic.
        HeaderValue::from_maybe_shared(self.0.split().freeze()).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::coordinator::trail::Trail;
    use crate::http::tests::fixture;

    fn headers(served: &Served, seconds_later: i64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let now = fixture::fetched_at() + TimeDelta::seconds(seconds_later);
        write(&mut headers, served, served.entry.etag(), now, &HttpSettings::default());
        headers
    }

    fn value(served: &Served, seconds_later: i64, name: &str) -> String {
        headers(served, seconds_later).get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    fn trail(visits: &[(Tier, Finding)]) -> Trail {
        let mut trail = Trail::default();
        visits.iter().for_each(|(tier, finding)| trail.record(*tier, *finding, Duration::from_micros(640)));
        trail
    }

    #[test]
    fn cache_status_tells_the_story() {
        use {Finding as F, Tier as T};
        let timed_out = F::Failed("timed-out");
        let fallback = Freshness::Stale(Some(StaleReason::UpstreamUnavailable));
        let revalidating = Freshness::Stale(Some(StaleReason::Revalidating));
        let (hour, day) = (3_600, 86_400);
        for (visits, from, freshness, collapsed, later, expected) in [
            (
                &[(T::Near, F::Hit)][..],
                ServedFrom::Memory,
                Freshness::Fresh,
                false,
                hour,
                "juscache-near; hit; ttl=82800",
            ),
            (
                &[
                    (T::Near, F::Miss),
                    (T::Redis, F::Miss),
                    (T::Postgres, F::Stale),
                    (T::Upstream, F::Failed("refused")),
                ],
                ServedFrom::DatabaseFallback,
                fallback,
                false,
                day + 340,
                "juscache-postgres; hit; ttl=-340; detail=fail-safe, juscache-redis; fwd=uri-miss, juscache-near; fwd=uri-miss",
            ),
            (
                &[(T::Near, F::Miss), (T::Redis, F::Miss), (T::Postgres, F::Miss), (T::Upstream, F::Hit)],
                ServedFrom::Api,
                Freshness::Fresh,
                true,
                0,
                "juscache-postgres; fwd=uri-miss; fwd-status=200; stored, juscache-redis; fwd=uri-miss, \
                 juscache-near; fwd=uri-miss; collapsed",
            ),
            (
                &[(T::Near, F::Bypassed), (T::Redis, F::Bypassed), (T::Postgres, timed_out), (T::Upstream, F::Hit)],
                ServedFrom::Api,
                Freshness::Fresh,
                false,
                0,
                "juscache-postgres; fwd=miss; detail=timed-out; fwd-status=200, juscache-redis; fwd=request, \
                 juscache-near; fwd=request",
            ),
            (
                &[(T::Near, F::Stale), (T::Redis, F::Hit)],
                ServedFrom::Redis,
                Freshness::Fresh,
                false,
                0,
                "juscache-redis; hit; ttl=86400, juscache-near; fwd=stale",
            ),
            (
                &[(T::Near, F::Stale)],
                ServedFrom::Memory,
                revalidating,
                false,
                day + 1,
                "juscache-near; hit; ttl=-1; detail=revalidating",
            ),
            (
                &[(T::Near, F::Stale)],
                ServedFrom::Memory,
                Freshness::Stale(None),
                false,
                day,
                "juscache-near; hit; ttl=0",
            ),
            (&[], ServedFrom::Api, Freshness::Fresh, false, 0, ""),
            (
                &[(T::Redis, F::Failed("bad, word")), (T::Upstream, F::Hit)],
                ServedFrom::Api,
                Freshness::Fresh,
                false,
                0,
                "juscache-redis; fwd=miss; detail=bad--word; fwd-status=200",
            ),
        ] {
            let served = Served { from, freshness, collapsed, trail: trail(visits), ..fixture::served() };
            assert_eq!(value(&served, later, "cache-status"), expected);
        }
    }

    #[test]
    fn ages_and_freshness_are_counted_from_the_two_clocks() {
        let fresh = fixture::served();
        assert_eq!(value(&fresh, 100, "age"), "100");
        assert_eq!(value(&fresh, -5, "age"), "0");
        let expected = "private, max-age=86400, stale-while-revalidate=60, stale-if-error=604800";
        assert_eq!(value(&fresh, 100, "cache-control"), expected);
        let stale = Served { freshness: Freshness::Stale(None), ..fixture::served() };
        assert!(value(&stale, 100, "cache-control").starts_with("private, max-age=0, "));
        assert!(value(&fresh, 90_000, "cache-control").starts_with("private, max-age=86400, "));
    }

    #[test]
    fn timing_cost_and_validator_are_there() {
        let mut served = Served { cost_centavos: 27, ..fixture::served() };
        served.trail = Trail::default();
        for (tier, micros) in [(Tier::Near, 20), (Tier::Redis, 640), (Tier::Upstream, 2_810_009)] {
            served.trail.record(tier, Finding::Miss, Duration::from_micros(micros));
        }
        assert_eq!(value(&served, 0, "server-timing"), "near;dur=0.02, redis;dur=0.64, upstream;dur=2810.00");
        assert_eq!(value(&served, 0, "x-juscache-cost"), "27");
        assert_eq!(value(&served, 0, "etag"), served.entry.etag());
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_everywhere(value in any::<u64>(), signed in any::<i64>(), micros in 0..u64::MAX / 2) {
            let mut line = Line(BytesMut::new());
            line.number(value);
            prop_assert_eq!(line.take(), value.to_string());
            line.signed(signed);
            prop_assert_eq!(line.take(), signed.to_string());
            line.milliseconds(Duration::from_micros(micros));
            prop_assert_eq!(line.take(), format!("{}.{:02}", micros / 1000, micros % 1000 / 10));
        }
    }
}
