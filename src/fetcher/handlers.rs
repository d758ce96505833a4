//! What the fetcher does with each message.

use std::sync::Arc;

use actix::{Handler, ResponseFuture};

use super::actor::{Fetcher, TIER};
use super::messages::{Failure, Fetch, FetchError, Fetched};

impl Handler<Fetch> for Fetcher {
    type Result = ResponseFuture<Result<Fetched, FetchError>>;

    /// Fetches run beside each other; how many is the limiter's business. One that was begun is finished even if nobody waits for it
    /// any more, because it may be paid already.
    fn handle(&mut self, fetch: Fetch, _context: &mut Self::Context) -> Self::Result {
        let provider = self.provider.as_ref().map(Arc::clone).map_err(|failure| *failure);
        let metrics = self.metrics.clone();
        Box::pin(async move {
            let outcome = match provider {
                Ok(provider) => provider.process(fetch.cnj, fetch.lane, fetch.deadline).await,
                Err(failure) => Err(FetchError { failure, retry_after: None, cost_centavos: 0 }),
            };
            let answers = outcome.as_ref().map_or_else(|error| error.failure == Failure::Refused, |_| true);
            metrics.set_tier_up(TIER, answers);
            outcome
        })
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
    use crate::config::fetcher::FetcherSettings;
    use crate::domain::cnj::Cnj;
    use crate::fetcher::messages::{Failure, Lane};
    use crate::resilience::deadline::Deadline;
    use crate::sandbox::{Sandbox, SandboxSettings, demo_numbers};
    use crate::supervision::ActorRef;
    use crate::telemetry::Metrics;

    fn start(settings: FetcherSettings) -> ActorRef<Fetcher> {
        let fetcher = Fetcher::new(settings, SystemClock::shared(), SystemRandom::shared(), Metrics::new());
        ActorRef::unsupervised("fetcher", 64, fetcher.start())
    }

    async fn ask(fetcher: &ActorRef<Fetcher>, number: &str) -> Result<Fetched, FetchError> {
        let deadline = Deadline::after(SystemClock.monotonic(), Duration::from_secs(30));
        let fetch = Fetch { cnj: Cnj::parse(number).unwrap(), lane: Lane::Background, deadline };
        fetcher.ask(fetch, deadline).await.unwrap()
    }

    #[actix_rt::test]
    async fn without_a_key_nothing_is_asked() {
        let fetcher = start(FetcherSettings { base_url: "http://127.0.0.1:9".into(), ..FetcherSettings::default() });
        let error = ask(&fetcher, "0000001-39.2024.8.26.0100").await.unwrap_err();
        assert_eq!(error, FetchError { failure: Failure::NoProvider, retry_after: None, cost_centavos: 0 });
    }

    #[actix_rt::test]
    async fn an_impossible_address_is_a_vendor_out_of_reach() {
        // The second: a client for TLS can be made (or says that it cannot), whatever certificates the machine has.
        for base_url in ["here", "https://127.0.0.1:9"] {
            let settings =
                FetcherSettings { api_key: Some("k".into()), base_url: base_url.into(), ..FetcherSettings::default() };
            let error = ask(&start(settings), "0000001-39.2024.8.26.0100").await.unwrap_err();
            assert_eq!(error.failure, Failure::Unreachable, "{base_url}");
        }
    }

    #[actix_rt::test]
    async fn fetches_run_beside_each_other_within_the_bound() {
        let latency = Duration::from_millis(50);
        let slow = SandboxSettings { latency, ..SandboxSettings::default() };
        let sandbox = Sandbox::start(slow, (Ipv4Addr::LOCALHOST, 0).into(), SystemClock::shared()).await.unwrap();
        let fetcher = start(FetcherSettings {
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
}
