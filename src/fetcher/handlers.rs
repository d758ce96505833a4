//! What the fetcher does with each message.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Handler, ResponseFuture};
use futures_util::FutureExt;

use super::actor::{Fetcher, Running};
use super::callback_messages::{CallbackPage, ReadCallbacks};
use super::messages::{Failure, Fetch, FetchError, Fetched};
use super::monitor_messages::{CreateMonitor, FindMonitor, MonitorCreated, ReadMonitor, RemoveMonitor, VendorMonitor};
use super::provider::Provider;
use super::update_messages::{ReadUpdateStatus, RequestUpdate, UpdateRequested, UpdateStatus};
use crate::domain::cnj::Cnj;

impl Handler<Fetch> for Fetcher {
    type Result = ResponseFuture<Result<Fetched, FetchError>>;

    /// Fetches run beside each other; how many is the limiter's business. One that was begun is finished even if nobody waits for it
    /// any more, because it may be paid already; and whoever asks for the same process meanwhile joins it. A coordinator has
    /// one flight a process, but one that was replaced in the middle of a flight asks again, and must not buy again.
    fn handle(&mut self, fetch: Fetch, _context: &mut Self::Context) -> Self::Result {
        if let Some(running) = self.running.borrow().get(&fetch.cnj) {
            if let (Some(theirs), None) = (&running.allowance, &fetch.allowance) {
                // What was bounded work becomes what somebody wants in any case.
                theirs.lift();
            }
            return Box::pin(running.answer.clone());
        }
        let (providers, running) = (Arc::clone(&self.providers), Rc::clone(&self.running));
        let (cnj, allowance) = (fetch.cnj, fetch.allowance.clone());
        let under_way = UnderWay { cnj, running };
        let work = async move {
            let _until_the_end = under_way;
            providers.process(fetch).await
        };
        let work = work.boxed_local().shared();
        self.running.borrow_mut().insert(cnj, Running { answer: work.clone(), allowance });
        Box::pin(work)
    }
}

impl Handler<ReadUpdateStatus> for Fetcher {
    type Result = ResponseFuture<Result<UpdateStatus, FetchError>>;

    fn handle(&mut self, ask: ReadUpdateStatus, _context: &mut Self::Context) -> Self::Result {
        let escavador = self.escavador.as_ref().map(Arc::clone).map_err(|failure| unasked(*failure));
        Box::pin(async move { escavador?.update_status(&ask).await })
    }
}

impl Handler<RequestUpdate> for Fetcher {
    type Result = ResponseFuture<Result<UpdateRequested, FetchError>>;

    fn handle(&mut self, ask: RequestUpdate, _context: &mut Self::Context) -> Self::Result {
        let escavador = self.escavador.as_ref().map(Arc::clone).map_err(|failure| unasked(*failure));
        Box::pin(async move { escavador?.request_update(&ask).await })
    }
}

impl Handler<CreateMonitor> for Fetcher {
    type Result = ResponseFuture<Result<MonitorCreated, FetchError>>;

    fn handle(&mut self, ask: CreateMonitor, _context: &mut Self::Context) -> Self::Result {
        let escavador = self.escavador.as_ref().map(Arc::clone).map_err(|failure| unasked(*failure));
        Box::pin(async move { escavador?.create_monitor(&ask).await })
    }
}

impl Handler<FindMonitor> for Fetcher {
    type Result = ResponseFuture<Result<Option<VendorMonitor>, FetchError>>;

    fn handle(&mut self, ask: FindMonitor, _context: &mut Self::Context) -> Self::Result {
        let escavador = self.escavador.as_ref().map(Arc::clone).map_err(|failure| unasked(*failure));
        Box::pin(async move { escavador?.find_monitor(&ask).await })
    }
}

impl Handler<ReadMonitor> for Fetcher {
    type Result = ResponseFuture<Result<Option<VendorMonitor>, FetchError>>;

    fn handle(&mut self, ask: ReadMonitor, _context: &mut Self::Context) -> Self::Result {
        let escavador = self.escavador.as_ref().map(Arc::clone).map_err(|failure| unasked(*failure));
        Box::pin(async move { escavador?.read_monitor(&ask).await })
    }
}

impl Handler<RemoveMonitor> for Fetcher {
    type Result = ResponseFuture<Result<bool, FetchError>>;

    fn handle(&mut self, ask: RemoveMonitor, _context: &mut Self::Context) -> Self::Result {
        let escavador = self.escavador.as_ref().map(Arc::clone).map_err(|failure| unasked(*failure));
        Box::pin(async move { escavador?.remove_monitor(&ask).await })
    }
}

impl Handler<ReadCallbacks> for Fetcher {
    type Result = ResponseFuture<Result<CallbackPage, FetchError>>;

    fn handle(&mut self, ask: ReadCallbacks, _context: &mut Self::Context) -> Self::Result {
        let escavador = self.escavador.as_ref().map(Arc::clone).map_err(|failure| unasked(*failure));
        Box::pin(async move { escavador?.callbacks(&ask).await })
    }
}

fn unasked(failure: Failure) -> FetchError {
    FetchError { failure, retry_after: None, cost_centavos: 0 }
}

/// Ends a fetch's time on the list, also when it panics.
struct UnderWay {
    cnj: Cnj,
    running: Rc<RefCell<HashMap<Cnj, Running>>>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.running.borrow_mut().remove(&self.cnj);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use actix::Actor;
    use futures_util::future::join_all;

    use super::*;
    use crate::ambient::{Clock, SystemClock, SystemRandom};
    use crate::config::datajud::DatajudSettings;
    use crate::config::fetcher::FetcherSettings;
    use crate::domain::caller::{Caller, Lane};
    use crate::domain::snapshot::Provider;
    use crate::fetcher::actor::FetcherParts;
    use crate::fetcher::fixture::{Opened, account};
    use crate::resilience::deadline::Deadline;
    use crate::sandbox::{Sandbox, SandboxSettings, demo_numbers};
    use crate::supervision::ActorRef;

    /// A fetcher, and the accounts that it needs to be kept.
    fn start(settings: FetcherSettings) -> (ActorRef<Fetcher>, [Opened; 2]) {
        let accounts = [account(Provider::Escavador, &settings), account(Provider::Datajud, &settings)];
        let fetcher = Fetcher::new(FetcherParts {
            escavador: settings,
            datajud: DatajudSettings::default(),
            escavador_account: Arc::clone(&accounts[0].account),
            datajud_account: Arc::clone(&accounts[1].account),
            keeper: None,
            paces: Vec::new(),
            clock: SystemClock::shared(),
            random: SystemRandom::shared(),
        });
        (ActorRef::unsupervised("fetcher", 256, fetcher.start()), accounts)
    }

    async fn ask(fetcher: &ActorRef<Fetcher>, number: &str) -> Result<Fetched, FetchError> {
        let deadline = Deadline::after(SystemClock.monotonic(), Duration::from_secs(30));
        let fetch = Fetch {
            cnj: Cnj::parse(number).unwrap(),
            lane: Lane::Interactive,
            caller: Caller::Anonymous,
            held: None,
            insist: false,
            deadline,
            allowance: None,
        };
        fetcher.ask(fetch, deadline).await.unwrap()
    }

    #[actix_rt::test]
    async fn without_a_key_nothing_is_asked() {
        let (fetcher, _accounts) =
            start(FetcherSettings { base_url: "http://127.0.0.1:9".into(), ..FetcherSettings::default() });
        let error = ask(&fetcher, "0000001-39.2024.8.26.0100").await.unwrap_err();
        assert_eq!(error, FetchError { failure: Failure::NoProvider, retry_after: None, cost_centavos: 0 });
    }

    #[actix_rt::test]
    async fn an_impossible_address_is_a_vendor_out_of_reach() {
        // The second: a client for TLS can be made (or says that it cannot), whatever certificates the machine has.
        for base_url in ["here", "https://127.0.0.1:9"] {
            let settings =
                FetcherSettings { api_key: Some("k".into()), base_url: base_url.into(), ..FetcherSettings::default() };
            let (fetcher, _accounts) = start(settings);
            let error = ask(&fetcher, "0000001-39.2024.8.26.0100").await.unwrap_err();
            assert_eq!(error.failure, Failure::Unreachable, "{base_url}");
        }
    }

    #[actix_rt::test]
    async fn fetches_run_beside_each_other_within_the_bound() {
        let latency = Duration::from_millis(50);
        let slow = SandboxSettings { latency, ..SandboxSettings::default() };
        let sandbox = Sandbox::start(slow, (Ipv4Addr::LOCALHOST, 0).into(), SystemClock::shared()).await.unwrap();
        let (fetcher, _accounts) = start(FetcherSettings {
            api_key: Some("k".into()),
            base_url: sandbox.base_url(),
            max_in_flight: 3,
            ..FetcherSettings::default()
        });
        let numbers = demo_numbers(9, 1);
        let fetched = join_all(numbers.iter().map(|number| ask(&fetcher, number))).await;
        assert!(fetched.iter().all(Result::is_ok), "{fetched:?}");
        assert_eq!(sandbox.control().peak_in_flight(), 3);
        sandbox.stop().await;
    }

    /// More wait than the pace can serve before their deadline: what is bought is whole processes, not a cover for each.
    #[actix_rt::test]
    async fn what_was_begun_is_finished_before_others_begin() {
        let sandbox =
            Sandbox::start(SandboxSettings::default(), (Ipv4Addr::LOCALHOST, 0).into(), SystemClock::shared()).await;
        let sandbox = sandbox.unwrap();
        let (fetcher, _accounts) = start(FetcherSettings {
            api_key: Some("k".into()),
            base_url: sandbox.base_url(),
            requests_per_minute: 600,
            ..FetcherSettings::default()
        });
        let deadline = Deadline::after(SystemClock.monotonic(), Duration::from_secs(3));
        let numbers = demo_numbers(150, 1);
        let fetched = join_all(numbers.iter().map(|number| {
            let fetch = Fetch {
                cnj: Cnj::parse(number).unwrap(),
                lane: Lane::Interactive,
                caller: Caller::Anonymous,
                held: None,
                insist: false,
                deadline,
                allowance: None,
            };
            fetcher.ask(fetch, Deadline::after(deadline.instant(), Duration::from_secs(5)))
        }))
        .await;
        let whole = fetched.iter().filter(|one| one.as_ref().unwrap().is_ok()).count();
        let covers = sandbox.control().call_count(crate::sandbox::Endpoint::Cover);
        assert!(whole >= 25, "{whole} of {covers} covers");
        assert!(covers <= u64::try_from(whole).unwrap() + 8, "{covers} covers for {whole} processes");
        sandbox.stop().await;
    }

    /// A coordinator that was replaced in the middle of a flight asks again; it must not buy again.
    #[actix_rt::test]
    async fn whoever_asks_for_a_process_under_way_joins_the_fetch() {
        let slow = SandboxSettings { latency: Duration::from_millis(100), ..SandboxSettings::default() };
        let sandbox = Sandbox::start(slow, (Ipv4Addr::LOCALHOST, 0).into(), SystemClock::shared()).await.unwrap();
        let settings =
            FetcherSettings { api_key: Some("k".into()), base_url: sandbox.base_url(), ..FetcherSettings::default() };
        let (fetcher, _accounts) = start(settings);
        let number = demo_numbers(1, 1).remove(0);
        let answers = join_all((0..5).map(|_| ask(&fetcher, &number))).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(sandbox.control().call_count(crate::sandbox::Endpoint::Cover), 1);
        assert!(ask(&fetcher, &number).await.is_ok(), "a fetch that has ended is not joined");
        assert_eq!(sandbox.control().call_count(crate::sandbox::Endpoint::Cover), 2);
        sandbox.stop().await;
    }
}
