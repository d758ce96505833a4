use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::ambient::{Clock, SystemClock};
use crate::domain::caller::{Caller, Lane};
use crate::domain::movement::MovementId;
use crate::domain::sample::{instant, process};
use crate::fetcher::datajud::ID_PREFIX;
use crate::resilience::deadline::Deadline;

/// Says the same to everybody, and remembers with which copy in hand it was asked.
#[derive(Debug)]
struct Fixed {
    id: snapshot::Provider,
    said: Said,
    asked: Mutex<Vec<Option<snapshot::Provider>>>,
}

impl Fixed {
    fn new(id: snapshot::Provider, said: Said) -> Arc<Self> {
        Arc::new(Self { id, said, asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<Option<snapshot::Provider>> {
        self.asked.lock().unwrap().clone()
    }
}

impl Provider for Fixed {
    fn id(&self) -> snapshot::Provider {
        self.id
    }

    fn process(&self, fetch: Fetch) -> BoxFuture<'_, Said> {
        self.asked.lock().unwrap().push(fetch.held.map(|held| held.header().provider));
        futures_util::future::ready(self.said.clone()).boxed()
    }
}

const ESCAVADOR: snapshot::Provider = snapshot::Provider::Escavador;
const DATAJUD: snapshot::Provider = snapshot::Provider::Datajud;

fn of(provider: snapshot::Provider, movements: u32) -> Snapshot {
    let mut snapshot = process(movements, 100);
    snapshot.provider = provider;
    if provider == DATAJUD {
        for movement in &mut snapshot.movements {
            movement.id = MovementId::from_text(format!("{ID_PREFIX}{}", movement.id));
        }
    }
    snapshot
}

fn held(provider: snapshot::Provider, movements: u32) -> Option<Arc<Entry>> {
    Some(Arc::new(Entry::new(of(provider, movements), instant(200)).unwrap()))
}

fn found(provider: snapshot::Provider, movements: u32, cost_centavos: u64) -> Said {
    let answer = Answer::Found(Box::new(of(provider, movements)));
    Ok(Fetched { answer, cost_centavos, requests: 2, stand_in: false })
}

fn unknown() -> Said {
    Ok(Fetched { answer: Answer::Unknown, cost_centavos: 0, requests: 1, stand_in: false })
}

fn down(failure: Failure, cost_centavos: u64) -> Said {
    Err(FetchError { failure, retry_after: Some(Duration::from_secs(7)), cost_centavos })
}

fn fetch(held: Option<Arc<Entry>>) -> Fetch {
    let deadline = Deadline::after(SystemClock.monotonic(), Duration::from_secs(5));
    let cnj = process(0, 0).cnj;
    Fetch { cnj, lane: Lane::Interactive, caller: Caller::Anonymous, held, insist: false, deadline, allowance: None }
}

fn both(escavador: Said, datajud: Said, usage: DatajudUse) -> (Providers, Arc<Fixed>, Arc<Fixed>) {
    let (paid, free) = (Fixed::new(ESCAVADOR, escavador), Fixed::new(DATAJUD, datajud));
    (Providers::new(Ok(paid.clone()), Some(free.clone()), usage), paid, free)
}

fn supplied(fetched: &Fetched) -> (snapshot::Provider, usize) {
    match &fetched.answer {
        Answer::Found(snapshot) => (snapshot.provider, snapshot.movements.len()),
        Answer::Current { .. } | Answer::Unknown => panic!("the process is known"),
    }
}

#[actix_rt::test]
async fn datajud_stands_in_and_what_the_failure_cost_is_not_forgotten() {
    let (providers, paid, free) = both(down(Failure::TimedOut, 300), found(DATAJUD, 3, 0), DatajudUse::Fallback);
    let fetched = providers.process(fetch(None)).await.unwrap();
    assert_eq!(supplied(&fetched), (DATAJUD, 3));
    assert_eq!((fetched.cost_centavos, fetched.requests, fetched.stand_in), (300, 2, true));
    assert_eq!((paid.asked().len(), free.asked().len(), providers.id()), (1, 1, ESCAVADOR));
}

#[actix_rt::test]
async fn escavadors_failure_stands_with_its_advice_when_datajud_cannot_help() {
    for datajud in [unknown(), down(Failure::ServerError, 0)] {
        let (providers, _, free) = both(down(Failure::NoCredit, 300), datajud, DatajudUse::Fallback);
        let error = providers.process(fetch(None)).await.unwrap_err();
        let expected =
            FetchError { failure: Failure::NoCredit, retry_after: Some(Duration::from_secs(7)), cost_centavos: 300 };
        assert_eq!((error, free.asked().len()), (expected, 1));
    }
}

#[actix_rt::test]
async fn without_escavador_datajud_speaks_for_itself() {
    let alone = |said: Said| {
        let free = Fixed::new(DATAJUD, said);
        Providers::new(Err(Failure::NoProvider), Some(free), DatajudUse::Fallback)
    };
    let providers = alone(found(DATAJUD, 2, 0));
    let fetched = providers.process(fetch(None)).await.unwrap();
    assert_eq!((supplied(&fetched), fetched.stand_in, providers.id()), ((DATAJUD, 2), false, DATAJUD));
    let absent = alone(unknown()).process(fetch(None)).await.unwrap();
    assert!(matches!(absent.answer, Answer::Unknown) && !absent.stand_in);
    let error = alone(down(Failure::TimedOut, 0)).process(fetch(None)).await.unwrap_err();
    assert_eq!(error.failure, Failure::TimedOut);
    let kept = alone(unknown()).process(fetch(held(ESCAVADOR, 2))).await.unwrap_err();
    assert_eq!(kept.failure, Failure::NoProvider, "what was bought is not taken back");
}

#[actix_rt::test]
async fn an_escavador_that_is_set_up_wrongly_is_still_the_one_to_know() {
    let free = Fixed::new(DATAJUD, unknown());
    let providers = Providers::new(Err(Failure::Unauthorized), Some(free), DatajudUse::Fallback);
    let error = providers.process(fetch(None)).await.unwrap_err();
    assert_eq!(error.failure, Failure::Unauthorized);
    let free = Fixed::new(DATAJUD, found(DATAJUD, 1, 0));
    let providers = Providers::new(Err(Failure::Unauthorized), Some(free), DatajudUse::Fallback);
    assert!(providers.process(fetch(None)).await.unwrap().stand_in);
}

#[actix_rt::test]
async fn nobody_is_nobody() {
    let providers = Providers::new(Err(Failure::NoProvider), None, DatajudUse::Fallback);
    assert_eq!(providers.process(fetch(None)).await.unwrap_err().failure, Failure::NoProvider);
}

#[actix_rt::test]
async fn a_copy_of_escavadors_is_complemented_and_never_replaced() {
    let (providers, ..) = both(down(Failure::BudgetExhausted, 0), found(DATAJUD, 5, 0), DatajudUse::Fallback);
    let error = providers.process(fetch(held(ESCAVADOR, 3))).await.unwrap_err();
    assert_eq!(error.failure, Failure::BudgetExhausted);

    let (providers, ..) = both(down(Failure::TimedOut, 300), found(DATAJUD, 5, 0), DatajudUse::Complement);
    let fetched = providers.process(fetch(held(ESCAVADOR, 3))).await.unwrap();
    assert_eq!((supplied(&fetched), fetched.stand_in), ((ESCAVADOR, 5), true));
    assert_eq!((fetched.cost_centavos, fetched.requests), (300, 2));

    let (providers, ..) = both(down(Failure::TimedOut, 300), found(DATAJUD, 3, 0), DatajudUse::Complement);
    let error = providers.process(fetch(held(ESCAVADOR, 3))).await.unwrap_err();
    assert_eq!((error.failure, error.cost_centavos), (Failure::TimedOut, 300), "no news: the failure stands");
}

#[actix_rt::test]
async fn free_first_buys_only_what_datajud_does_not_know() {
    let (providers, paid, _) = both(found(ESCAVADOR, 9, 600), found(DATAJUD, 5, 0), DatajudUse::First);
    let fetched = providers.process(fetch(None)).await.unwrap();
    assert_eq!((supplied(&fetched), fetched.stand_in, paid.asked().len()), ((DATAJUD, 5), false, 0));
    let (providers, ..) = both(found(ESCAVADOR, 9, 600), unknown(), DatajudUse::First);
    let fetched = providers.process(fetch(None)).await.unwrap();
    assert_eq!((supplied(&fetched), fetched.cost_centavos, fetched.requests), ((ESCAVADOR, 9), 600, 3));
}

#[actix_rt::test]
async fn escavador_is_never_asked_whether_a_copy_of_datajuds_is_current() {
    let (providers, paid, _) = both(found(ESCAVADOR, 9, 600), unknown(), DatajudUse::Fallback);
    for copy in [held(DATAJUD, 3), held(ESCAVADOR, 3), None] {
        assert_eq!(supplied(&providers.process(fetch(copy)).await.unwrap()), (ESCAVADOR, 9));
    }
    assert_eq!(paid.asked(), [None, Some(ESCAVADOR), None]);
}
