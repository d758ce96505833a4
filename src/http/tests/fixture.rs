//! A house of which only the HTTP face is real.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::App;
use actix_web::body::{MessageBody, to_bytes};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::{Compress, from_fn};
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::web::Data;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::ambient::{Clock, SystemClock, SystemRandom};
use crate::callbacks::Receipt;
use crate::coordinator::messages::{Lookup, LookupError, Served};
use crate::coordinator::trail::{Finding, Tier, Trail};
use crate::domain::callback::{CallbackReport, CallbackState};
use crate::domain::cnj::Cnj;
use crate::domain::entry::Entry;
use crate::domain::sample;
use crate::domain::served::{Freshness, ServedFrom};
use crate::domain::snapshot::Snapshot;
use crate::domain::warm::{WarmDetail, WarmList};
use crate::http::admin::AdminDoor;
use crate::http::boundary::boundary;
use crate::http::callbacks::CallbackDoor;
use crate::http::routes;
use crate::http::shortcut::Shortcut;
use crate::http::state::{
    Books, BooksAway, CallbackDesk, CallbacksAway, CourtDesk, Health, HttpSettings, HttpState, ListsAway, Lookups,
    Readiness, Report, Services, TierLine, Warmth, WatchDesk,
};
use crate::ledger::report::{Days, LedgerReport};
use crate::postgres_tier::watch::messages::Note;
use crate::resilience::Deadline;
use crate::telemetry::Metrics;
use crate::updates::messages::{Standing as UpdateStanding, UpdateError};
use crate::watch::{Line, WatchAway};

/// The process that the fake holds, and its two reads.
pub(crate) const CNJ: &str = "0000001-39.2024.8.26.0100";
pub(crate) const DETAILED: &str = "/api/v1/process-movements/0000001-39.2024.8.26.0100/detailed";
pub(crate) const SUMMARY: &str = "/api/v1/process-movements/0000001-39.2024.8.26.0100/summary";

/// What opens the door for callbacks.
pub(crate) const CALLBACK_TOKEN: &str = "the-vendors-token";

/// What opens the admin pages.
pub(crate) const ADMIN_TOKEN: &str = "the-token-of-the-tests";

/// When the sample was fetched; it is fresh for a day.
pub(crate) fn fetched_at() -> DateTime<Utc> {
    sample::instant(0)
}

pub(crate) fn entry(snapshot: Snapshot) -> Arc<Entry> {
    Arc::new(Entry::new(snapshot, fetched_at() + TimeDelta::days(1)).unwrap())
}

/// A near hit of a process of 60 movements.
pub(crate) fn served() -> Served {
    let mut trail = Trail::default();
    trail.record(Tier::Near, Finding::Hit, Duration::from_micros(20));
    Served {
        entry: entry(sample::process(60, 0)),
        from: ServedFrom::Memory,
        freshness: Freshness::Fresh,
        trail,
        collapsed: false,
        cost_centavos: 0,
        renewal: None,
    }
}

/// A clock that stands a hundred seconds after the fetch.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> DateTime<Utc> {
        fetched_at() + TimeDelta::seconds(100)
    }

    fn monotonic(&self) -> std::time::Instant {
        SystemClock.monotonic()
    }
}

type Answer = dyn Fn(&Lookup) -> BoxFuture<'static, Result<Served, LookupError>> + Send + Sync;

/// The fake chain and the state around it.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) state: HttpState,
    asked: Arc<Mutex<Vec<Lookup>>>,
}

struct Fake {
    answer: Box<Answer>,
    near: Option<Served>,
    asked: Arc<Mutex<Vec<Lookup>>>,
}

impl Lookups for Fake {
    fn lookup(&self, lookup: Lookup) -> BoxFuture<'_, Result<Served, LookupError>> {
        let answer = (self.answer)(&lookup);
        self.asked.lock().unwrap().push(lookup);
        answer
    }

    fn near(&self, cnj: &Cnj) -> Option<Served> {
        self.near.clone().filter(|_| cnj.masked() == CNJ)
    }
}

/// A desk that nobody may come to.
struct NoCourt;

impl CourtDesk for NoCourt {
    fn ask(&self, cnj: Cnj, _: Deadline) -> BoxFuture<'_, Result<UpdateStanding, UpdateError>> {
        panic!("nobody may ask the court about {cnj}")
    }

    fn status(&self, cnj: Cnj, _: Deadline) -> BoxFuture<'_, Result<UpdateStanding, UpdateError>> {
        panic!("nobody may ask about {cnj}")
    }
}

/// A list of the watched that nobody can read.
struct Unwatched;

impl WatchDesk for Unwatched {
    fn put(&self, _: Cnj, _: Note) -> BoxFuture<'_, Result<(Line, bool), WatchAway>> {
        std::future::ready(Err(WatchAway)).boxed()
    }

    fn read(&self, _: Cnj) -> BoxFuture<'_, Result<Option<Line>, WatchAway>> {
        std::future::ready(Err(WatchAway)).boxed()
    }

    fn remove(&self, _: Cnj) -> BoxFuture<'_, Result<bool, WatchAway>> {
        std::future::ready(Err(WatchAway)).boxed()
    }

    fn list(&self, _: Option<Cnj>, _: u32) -> BoxFuture<'_, Result<Vec<Line>, WatchAway>> {
        std::future::ready(Err(WatchAway)).boxed()
    }
}

/// A database that is away.
struct NoCallbacks;

impl CallbackDesk for NoCallbacks {
    fn take(&self, _: Bytes) -> BoxFuture<'_, Result<Receipt, CallbacksAway>> {
        std::future::ready(Err(CallbacksAway)).boxed()
    }

    fn report(&self, _: Option<CallbackState>, _: usize) -> BoxFuture<'_, Result<CallbackReport, CallbacksAway>> {
        std::future::ready(Err(CallbacksAway)).boxed()
    }
}

struct Standing(bool);

impl Readiness for Standing {
    fn report(&self) -> Report {
        let tiers = vec![TierLine { name: "redis", state: Health::Down, detail: "refused".into() }];
        Report { answering: self.0, tiers, actors: Vec::new(), version: "0.0.0", journal_pending: 0 }
    }
}

/// Books that nobody can read.
struct Shut;

impl Books for Shut {
    fn report(&self, _: Days) -> BoxFuture<'_, Result<LedgerReport, BooksAway>> {
        std::future::ready(Err(BooksAway)).boxed()
    }
}

/// Lists that nobody can reach.
struct NoLists;

impl Warmth for NoLists {
    fn accept(&self, _: Vec<Cnj>, _: usize) -> BoxFuture<'_, Result<Option<WarmList>, ListsAway>> {
        std::future::ready(Err(ListsAway)).boxed()
    }

    fn latest(&self, _: usize) -> BoxFuture<'_, Result<Vec<WarmList>, ListsAway>> {
        std::future::ready(Err(ListsAway)).boxed()
    }

    fn read(&self, _: String, _: usize) -> BoxFuture<'_, Result<Option<WarmDetail>, ListsAway>> {
        std::future::ready(Err(ListsAway)).boxed()
    }

    fn cancel(&self, _: String) -> BoxFuture<'_, Result<Option<WarmList>, ListsAway>> {
        std::future::ready(Err(ListsAway)).boxed()
    }
}

impl House {
    /// A house whose chain answers so.
    pub(crate) fn answering(answer: impl Fn(&Lookup) -> Result<Served, LookupError> + Send + Sync + 'static) -> Self {
        Self::new(Box::new(move |lookup| std::future::ready(answer(lookup)).boxed()), true, HttpSettings::default())
    }

    /// A house that always serves this.
    pub(crate) fn serving(served: Served) -> Self {
        Self::answering(move |_| Ok(served.clone()))
    }

    /// A house that has this at hand; its chain must not be asked.
    pub(crate) fn near(served: Served) -> Self {
        let refuse: Box<Answer> = Box::new(|_| std::future::ready(Err(LookupError::NotHeld)).boxed());
        Self::build(refuse, Some(served), true, HttpSettings::default())
    }

    /// A house whose chain never answers, and which waits hardly at all.
    pub(crate) fn hanging() -> Self {
        let settings = HttpSettings { lookup_deadline: Duration::from_millis(10), ..HttpSettings::default() };
        Self::new(Box::new(|_| std::future::pending().boxed()), true, settings)
    }

    pub(crate) fn new(answer: Box<Answer>, ready: bool, settings: HttpSettings) -> Self {
        Self::build(answer, None, ready, settings)
    }

    fn build(answer: Box<Answer>, near: Option<Served>, ready: bool, settings: HttpSettings) -> Self {
        let asked = Arc::<Mutex<Vec<Lookup>>>::default();
        let state = HttpState::new(
            Services {
                lookups: Arc::new(Fake { answer, near, asked: Arc::clone(&asked) }),
                readiness: Arc::new(Standing(ready)),
                books: Arc::new(Shut),
                court: Arc::new(NoCourt),
                watches: Arc::new(Unwatched),
                callbacks: Arc::new(NoCallbacks),
                callback_door: Arc::new(CallbackDoor::new(Some(&CALLBACK_TOKEN.into()))),
                door: Arc::new(AdminDoor::new(&ADMIN_TOKEN.into())),
                warm: Arc::new(NoLists),
                news: super::events::no_news(),
                webhooks: Arc::new(super::webhooks::NoWebhooks),
            },
            Metrics::new(),
            Arc::new(Stopped),
            SystemRandom::shared(),
            settings,
        );
        Self { state, asked }
    }

    /// What the chain was asked so far.
    pub(crate) fn asked(&self) -> Vec<Lookup> {
        self.asked.lock().unwrap().clone()
    }

    /// Sends a request through everything but the socket.
    pub(crate) async fn call(&self, request: TestRequest) -> Reply {
        let app = App::new()
            .app_data(Data::new(self.state.clone()))
            .wrap(Compress::default())
            .wrap(from_fn(boundary))
            .wrap(Shortcut(Data::new(self.state.clone())))
            .configure(routes::mount);
        let app = init_service(app).await;
        match try_call_service(&app, request.to_request()).await {
            Ok(response) => {
                let (status, headers) = (response.status(), response.headers().clone());
                let body = match response.into_body().try_into_bytes() {
                    Ok(whole) => whole,
                    Err(streamed) => to_bytes(streamed).await.map_err(|error| error.to_string()).unwrap(),
                };
                Reply { status, headers, body }
            }
            Err(error) => {
                let response = error.error_response();
                let (status, headers) = (response.status(), response.headers().clone());
                Reply { status, headers, body: to_bytes(response.into_body()).await.unwrap() }
            }
        }
    }

    pub(crate) async fn get(&self, uri: &str) -> Reply {
        self.call(TestRequest::get().uri(uri)).await
    }
}

/// What a client sees.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks everything that all problems have, and gives the one sentence.
    pub(crate) fn problem(&self, slug: &str, status: u16) -> String {
        let json = self.json();
        assert_eq!((self.status.as_u16(), &json["status"]), (status, &status.into()), "{json}");
        assert_eq!(json["type"], format!("/problems/{slug}"));
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(json["instance"], self.header("x-request-id"));
        assert!(!self.header("x-request-id").is_empty());
        assert_eq!(!self.header("retry-after").is_empty(), matches!(status, 429 | 503), "retry-after");
        for secret in ["etag", "cache-status", "age", "x-juscache-cost", "server-timing"] {
            assert_eq!(self.header(secret), "", "{secret}");
        }
        assert!(!json["title"].as_str().unwrap().is_empty());
        json["detail"].as_str().unwrap().to_owned()
    }
}
