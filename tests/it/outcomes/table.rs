//! Whatever the vendor answers: what the reader gets, how many requests that makes, and what it costs.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::time::Duration;

use juscache::sandbox::{Endpoint, Fault, ProcessShape};

use super::fixture::{DAY, Open, cost, pauses, word};
use crate::support::house::{Answer, number};

/// Movements of a process in two pages.
const TWO_PAGES: usize = 600;

/// What one reader gets.
struct Reader {
    status: u16,
    /// `fresh`, a reason or a problem.
    word: &'static str,
    cost: i64,
    /// Requests for status, cover and movements.
    calls: [u64; 3],
    ledger: &'static [&'static str],
}

/// One way to misbehave.
struct Row {
    fault: Fault,
    on: Option<Endpoint>,
    movements: usize,
    /// Who has no copy to fall back on.
    without: Reader,
    /// Who has an expired one, while the vendor has news.
    expired: Reader,
    /// Seconds that a refusal names.
    retry_after: RangeInclusive<u64>,
    /// What the vendor charged the reader without a copy, if the ledger cannot know it.
    charged: Option<i64>,
}

impl Row {
    fn new(fault: Fault, on: Endpoint, without: Reader, expired: Reader) -> Self {
        let retry_after = 1..=66;
        Self { fault, on: Some(on), movements: 20, without, expired, retry_after, charged: None }
    }

    fn everywhere(self) -> Self {
        Self { on: None, ..self }
    }

    fn in_two_pages(self) -> Self {
        Self { movements: TWO_PAGES, ..self }
    }

    async fn holds(self) {
        for (reader, has_copy) in [(&self.without, false), (&self.expired, true)] {
            self.holds_for(reader, has_copy).await;
        }
    }

    async fn holds_for(&self, reader: &Reader, has_copy: bool) {
        let open = Open::with(self.fault.as_str(), |plan| {
            plan.with(|settings| {
                // Nobody looks at the balance meanwhile.
                let minute = Duration::from_secs(60);
                settings.fetcher.standing.no_credit = pauses(minute, minute);
                settings.fetcher.standing.unauthorized = pauses(minute, minute);
            })
        })
        .await;
        let cnj = number();
        open.vendor().set_process(&cnj, &ProcessShape { movements: Some(self.movements), ..Default::default() });
        if has_copy {
            assert_eq!(open.lookup(&cnj).await.status, 200);
            open.news(&cnj);
            open.booked().await;
            open.clock.advance(DAY + Duration::from_secs(60));
        }
        let known = open.rows().len();
        open.vendor().reset_calls();
        open.vendor().set_fault(self.fault.clone(), self.on, None);

        let answer = open.lookup(&cnj).await;
        let case = format!("{:?} on {:?}, copy: {has_copy}: {answer:?}", self.fault, self.on);
        assert_eq!((answer.status, word(&answer), cost(&answer)), (reader.status, reader.word, reader.cost), "{case}");
        assert_eq!(open.calls(), reader.calls, "{case}");
        self.explains(&answer, has_copy, &case);
        let ledger = open.new_rows(known, reader.ledger.len()).await;
        assert_eq!(ledger, reader.ledger, "{case}");
        let booked: i64 = ledger.iter().filter_map(|row| row.split(' ').nth(2)?.parse::<i64>().ok()).sum();
        assert_eq!(booked, reader.cost, "the reader is told what the ledger says: {case}");
        let charged = self.charged.unwrap_or(booked);
        assert_eq!(open.vendor().charged(), charged, "{case}");
        open.close().await;
    }

    fn explains(&self, answer: &Answer, has_copy: bool, case: &str) {
        if answer.status == 503 {
            let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
            assert!(self.retry_after.contains(&seconds), "{seconds}: {case}");
            assert!(!answer.body["detail"].as_str().expect("a sentence").is_empty(), "{case}");
        }
        if has_copy && answer.stale() == Some(true) {
            assert_eq!(answer.source(), "database_fallback", "{case}");
        }
    }
}

/// Nobody may ever come here.
struct Elsewhere(TcpListener);

impl Elsewhere {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not wait");
        Self(listener)
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().expect("an address"))
    }

    fn saw_nobody(&self) {
        assert!(self.0.accept().is_err(), "the key went to another host");
    }
}

fn refused(problem: &'static str, cost: i64, calls: [u64; 3], ledger: &'static [&'static str]) -> Reader {
    Reader { status: 503, word: problem, cost, calls, ledger }
}

fn served(word: &'static str, cost: i64, calls: [u64; 3], ledger: &'static [&'static str]) -> Reader {
    Reader { status: 200, word, cost, calls, ledger }
}

#[actix_web::test]
async fn no_credit() {
    for fault in [Fault::NoCredit, Fault::Blocked403] {
        let without = refused("credits-exhausted", 0, [0, 1, 0], &["cover no-credit 0"]);
        let expired = served("credits-exhausted", 0, [1, 1, 0], &["status ok 0", "cover no-credit 0"]);
        Row::new(fault, Endpoint::Cover, without, expired).holds().await;
    }
}

#[actix_web::test]
async fn credit_that_ends_behind_the_cover() {
    let without = refused("credits-exhausted", 300, [0, 1, 1], &["cover ok 300", "movements no-credit 0"]);
    let ledger = &["status ok 0", "cover ok 300", "movements no-credit 0"];
    let expired = served("credits-exhausted", 300, [1, 1, 1], ledger);
    Row::new(Fault::NoCredit, Endpoint::Movements, without, expired).holds().await;
}

#[actix_web::test]
async fn the_key_is_refused() {
    let without = refused("upstream-unavailable", 0, [0, 1, 0], &["cover unauthorized 0"]);
    let expired = served("upstream-unavailable", 0, [1, 0, 0], &["status unauthorized 0"]);
    Row::new(Fault::Unauthorized, Endpoint::Cover, without, expired).everywhere().holds().await;
}

#[actix_web::test]
async fn limited_with_and_without_advice() {
    for (advice, retry_after) in [(Some("40".to_owned()), 38..=41), (None, 1..=66)] {
        let fault = Fault::RateLimited { html: advice.is_none(), retry_after: advice };
        let without = refused("upstream-unavailable", 0, [0, 1, 0], &["cover rate-limited 0"]);
        let expired = served("rate-limited", 0, [1, 0, 0], &["status rate-limited 0"]);
        let row = Row::new(fault, Endpoint::Cover, without, expired).everywhere();
        Row { retry_after, ..row }.holds().await;
    }
}

#[actix_web::test]
async fn a_page_of_html_with_a_500() {
    let without = refused("upstream-unavailable", 0, [0, 2, 0], &["cover server-error 0", "cover server-error 0"]);
    let ledger = &["status server-error 0", "status server-error 0"];
    let expired = served("upstream-unavailable", 0, [2, 0, 0], ledger);
    Row::new(Fault::Html500, Endpoint::Cover, without, expired).everywhere().holds().await;
}

/// Charged each time, and asked for twice at the most: it may have been the network.
#[actix_web::test]
async fn an_answer_that_breaks_off() {
    let without = refused("upstream-unavailable", 600, [0, 2, 0], &["cover unreadable 300", "cover unreadable 300"]);
    let ledger = &["status ok 0", "cover unreadable 300", "cover unreadable 300"];
    let expired = served("upstream-unavailable", 600, [1, 2, 0], ledger);
    Row::new(Fault::Truncated, Endpoint::Cover, without, expired).holds().await;
}

/// Well framed and ending in the middle of the JSON: as if it had broken off.
#[actix_web::test]
async fn json_that_is_cut() {
    let without = refused("upstream-unavailable", 600, [0, 2, 0], &["cover unreadable 300", "cover unreadable 300"]);
    let ledger = &["status ok 0", "cover unreadable 300", "cover unreadable 300"];
    let expired = served("upstream-unavailable", 600, [1, 2, 0], ledger);
    Row::new(Fault::CutJson, Endpoint::Cover, without, expired).holds().await;
    let ledger = &["cover ok 300", "movements unreadable 300", "movements unreadable 300"];
    let without = refused("upstream-unavailable", 900, [0, 1, 2], ledger);
    let ledger = &["status ok 0", "cover ok 300", "movements unreadable 300", "movements unreadable 300"];
    let expired = served("upstream-unavailable", 900, [1, 1, 2], ledger);
    Row::new(Fault::CutJson, Endpoint::Movements, without, expired).holds().await;
}

/// Charged, whole, and of a shape that nobody knows: it would come again as it is.
#[actix_web::test]
async fn json_of_another_shape() {
    let without = refused("upstream-unavailable", 300, [0, 1, 0], &["cover unreadable 300"]);
    let expired = served("upstream-unavailable", 300, [1, 1, 0], &["status ok 0", "cover unreadable 300"]);
    Row::new(Fault::WrongShape, Endpoint::Cover, without, expired).holds().await;
    let without = refused("upstream-unavailable", 600, [0, 1, 1], &["cover ok 300", "movements unreadable 300"]);
    let ledger = &["status ok 0", "cover ok 300", "movements unreadable 300"];
    let expired = served("upstream-unavailable", 600, [1, 1, 1], ledger);
    Row::new(Fault::WrongShape, Endpoint::Movements, without, expired).holds().await;
}

#[actix_web::test]
async fn a_body_that_never_ends() {
    let without = refused("upstream-unavailable", 600, [0, 2, 0], &["cover timed-out 300", "cover timed-out 300"]);
    let ledger = &["status ok 0", "cover timed-out 300", "cover timed-out 300"];
    let expired = served("upstream-timeout", 600, [1, 2, 0], ledger);
    Row::new(Fault::NeverEnds, Endpoint::Cover, without, expired).holds().await;
}

/// Not even a status came, so the price is presumed; here the vendor did charge.
#[actix_web::test]
async fn no_answer_at_all() {
    let ledger = &["cover timed-out 300 presumed", "cover timed-out 300 presumed"];
    let without = refused("upstream-unavailable", 600, [0, 2, 0], ledger);
    let ledger = &["status ok 0", "cover timed-out 300 presumed", "cover timed-out 300 presumed"];
    let expired = served("upstream-timeout", 600, [1, 2, 0], ledger);
    Row::new(Fault::ChargedTimeout, Endpoint::Cover, without, expired).holds().await;
}

/// The same from our side, and nothing was charged: the ledger errs on the safe side until the balance tells.
#[actix_web::test]
async fn a_connection_that_is_cut() {
    let ledger = &["cover unreachable 300 presumed", "cover unreachable 300 presumed"];
    let without = refused("upstream-unavailable", 600, [0, 2, 0], ledger);
    let ledger = &["status ok 0", "cover unreachable 300 presumed", "cover unreachable 300 presumed"];
    let expired = served("upstream-unavailable", 600, [1, 2, 0], ledger);
    let row = Row::new(Fault::Reset, Endpoint::Cover, without, expired);
    Row { charged: Some(0), ..row }.holds().await;
}

#[actix_web::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Elsewhere::new();
    let without = refused("upstream-unavailable", 0, [0, 1, 0], &["cover unreadable 0"]);
    let expired = served("upstream-unavailable", 0, [1, 1, 0], &["status ok 0", "cover unreadable 0"]);
    let fault = Fault::Redirect(format!("{}/api/v2/elsewhere", elsewhere.url()));
    Row::new(fault, Endpoint::Cover, without, expired).holds().await;
    elsewhere.saw_nobody();
}

/// The next page is asked for on our own base, whatever host its link names.
#[actix_web::test]
async fn a_link_to_another_host() {
    let elsewhere = Elsewhere::new();
    let without = served("fresh", 600, [0, 1, 2], &["cover ok 300", "movements ok 300", "movements-next ok 0"]);
    let ledger = &["status ok 0", "cover ok 300", "movements ok 300", "movements-next ok 0"];
    let expired = served("fresh", 600, [1, 1, 2], ledger);
    let fault = Fault::NextToOtherHost(elsewhere.url());
    Row::new(fault, Endpoint::Movements, without, expired).in_two_pages().holds().await;
    elsewhere.saw_nobody();
}

#[actix_web::test]
async fn a_page_that_names_itself_as_the_next() {
    let without = refused("upstream-unavailable", 600, [0, 1, 1], &["cover ok 300", "movements ok 300"]);
    let ledger = &["status ok 0", "cover ok 300", "movements ok 300"];
    let expired = served("upstream-unavailable", 600, [1, 1, 1], ledger);
    Row::new(Fault::NextLoops, Endpoint::Movements, without, expired).in_two_pages().holds().await;
}

#[actix_web::test]
async fn a_loop_of_pages() {
    let ledger = &["cover ok 300", "movements ok 300", "movements-next ok 0"];
    let without = refused("upstream-unavailable", 600, [0, 1, 2], ledger);
    let ledger = &["status ok 0", "cover ok 300", "movements ok 300", "movements-next ok 0"];
    let expired = served("upstream-unavailable", 600, [1, 1, 2], ledger);
    Row::new(Fault::NextRepeatsCursor, Endpoint::Movements, without, expired).in_two_pages().holds().await;
}
