//! Messages to work.

use std::rc::Rc;

use actix::{Handler, Response, ResponseFuture};

use super::actor::CourtUpdates;
use super::clerk::RECOVERY_RETRY;
use super::messages::{Ask, Concluded, Standing, Status, UpdateError};

impl Handler<Ask> for CourtUpdates {
    type Result = Response<Result<Standing, UpdateError>>;

    fn handle(&mut self, ask: Ask, _: &mut Self::Context) -> Self::Result {
        if ask.deadline.is_over(self.clerk.monotonic()) {
            // Nobody waits any more, and nothing is spent on nobody.
            return Response::reply(Err(UpdateError::Recovering { retry_after: RECOVERY_RETRY }));
        }
        Response::fut(self.clerk.ask(ask.cnj, ask.caller))
    }
}

impl Handler<Status> for CourtUpdates {
    type Result = ResponseFuture<Result<Standing, UpdateError>>;

    fn handle(&mut self, status: Status, _: &mut Self::Context) -> Self::Result {
        let clerk = Rc::clone(&self.clerk);
        Box::pin(async move { clerk.status(status.cnj, status.caller).await })
    }
}

impl Handler<Concluded> for CourtUpdates {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, concluded: Concluded, _: &mut Self::Context) -> Self::Result {
        let clerk = Rc::clone(&self.clerk);
        Box::pin(async move { clerk.look_at(concluded.cnj).await })
    }
}
