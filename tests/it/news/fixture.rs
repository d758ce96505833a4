//! Who stores news, and who listens to it.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use juscache::domain::cnj::Cnj;
use juscache::domain::movement::Movement;
use juscache::domain::version::Version;
use juscache::postgres_tier::messages::Stored;
use reqwest::Response;
use serde_json::Value;

use crate::postgres::samples::{Tier, day, entry, movement, number};
use crate::support::house::House;
use crate::support::http;

pub(super) const SOON: Duration = Duration::from_secs(30);

/// A node without a face: it stores processes that go on, and every movement but the first is news.
pub(super) struct Writer {
    tier: Tier,
}

/// A process that goes on.
pub(super) struct Case {
    pub(super) cnj: Cnj,
    movements: Vec<Movement>,
    stores: i64,
    /// Appended to every text.
    pub(super) padding: String,
}

impl Writer {
    pub(super) async fn on(url: &str) -> Self {
        Self { tier: Tier::on(url).await }
    }

    /// A process of the number `n`, seen for the first time.
    pub(super) async fn case(&self, n: u32) -> Case {
        let mut case = Case { cnj: number(n), movements: Vec::new(), stores: 0, padding: String::new() };
        self.goes_on(&mut case).await;
        case
    }

    /// One more movement; gives the event's number, if it made one.
    pub(super) async fn goes_on(&self, case: &mut Case) -> Option<u64> {
        case.stores += 1;
        let mut next = movement(case.stores, &format!("Ato {} de {}{}", case.stores, case.cnj, case.padding));
        next.date = next.date.and_then(|date| date.checked_add_days(chrono::Days::new(case.stores.unsigned_abs())));
        case.movements.insert(0, next);
        let version = Version::new(Some(day(case.stores)), day(case.stores));
        let stored = self.tier.store(&entry(case.cnj, version, case.movements.clone())).await;
        match stored.expect("the database stores it") {
            Stored::Stored(novelty) => novelty.newest_event,
            Stored::Outdated => panic!("a newer copy is stored"),
        }
    }
}

/// One event of a stream.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) id: u64,
    pub(super) kind: String,
    pub(super) data: Value,
}

/// An open stream.
pub(super) struct Listener {
    response: Response,
    text: String,
    /// Comments so far.
    pub(super) signs_of_life: usize,
}

impl Listener {
    pub(super) async fn open(house: &House, path: &str, after: Option<u64>) -> Self {
        let mut request = http::client(Duration::from_secs(300)).get(house.url(path));
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = request.send().await.expect("the stream opens");
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
        assert_eq!(header("content-type").as_deref(), Some("text/event-stream"));
        assert_eq!(header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(header("content-encoding"), None);
        let mut listener = Self { response, text: String::new(), signs_of_life: 0 };
        let opening = listener.block().await.expect("an opening");
        assert!(opening.starts_with("retry: 3000"), "{opening}");
        listener
    }

    /// The next block; none once the stream has ended as it should.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk = tokio::time::timeout(SOON, self.response.chunk()).await.expect("something within the time");
            match chunk.expect("an unbroken stream") {
                Some(chunk) => self.text.push_str(std::str::from_utf8(&chunk).expect("text")),
                None => return None,
            }
        }
    }

    /// The next event.
    pub(super) async fn next(&mut self) -> Option<News> {
        loop {
            let block = self.block().await?;
            if block.starts_with(':') {
                self.signs_of_life += 1;
                continue;
            }
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                line.unwrap_or_else(|| panic!("{name}: {block}")).to_owned()
            };
            let id = field("id").parse().expect("a number");
            let data = serde_json::from_str(&field("data")).expect("json");
            return Some(News { id, kind: field("event"), data });
        }
    }

    /// The numbers of the next so many events.
    pub(super) async fn numbers(&mut self, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            numbers.push(self.next().await.expect("an open stream").id);
        }
        numbers
    }
}

impl Writer {
    /// As [`goes_on`](Self::goes_on), for a database that is just coming back.
    pub(super) async fn goes_on_when_it_can(&self, case: &mut Case) -> Option<u64> {
        self.tier.learns(true).await;
        self.goes_on(case).await
    }
}
