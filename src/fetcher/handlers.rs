//! What the fetcher does with each message.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Handler, ResponseFuture};
use futures_util::FutureExt;

use super::actor::{Fetcher, Running, TIER};
use super::messages::{Failure, Fetch, FetchError, Fetched};
use crate::domain::cnj::Cnj;

impl Handler<Fetch> for Fetcher {
    type Result = ResponseFuture<Result<Fetched, FetchError>>;

    /// Fetches run beside each other; how many is the limiter's business. One that was begun is finished even if nobody waits for it
    /// any more, because it may be paid already; and whoever asks for the same process meanwhile joins it. A coordinator has
    /// one flight a process, but one that was replaced in the middle of a flight asks again, and must not buy again.
    fn handle(&mut self, fetch: Fetch, _context: &mut Self::Context) -> Self::Result {
        if let Some(running) = self.running.borrow().get(&fetch.cnj) {
            return Box::pin(running.clone());
        }
        let provider = self.provider.as_ref().map(Arc::clone).map_err(|failure| *failure);
        let (metrics, running) = (self.metrics.clone(), Rc::clone(&self.running));
        let cnj = fetch.cnj;
        let under_way = UnderWay { cnj, running };
        let work = async move {
            let _until_the_end = under_way;
            let outcome = match provider {
                Ok(provider) => provider.process(cnj, fetch.lane, fetch.deadline).await,
                Err(failure) => Err(FetchError { failure, retry_after: None, cost_centavos: 0 }),
            };
            let answers = outcome.as_ref().map_or_else(|error| error.failure == Failure::Refused, |_| true);
            metrics.set_tier_up(TIER, answers);
            outcome
        };
        let work = work.boxed_local().shared();
        self.running.borrow_mut().insert(cnj, work.clone());
        Box::pin(work)
    }
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
