//! Stands in until the fetcher can speak of update requests.

use actix::Handler;

use super::actor::Fetcher;
use super::messages::{Failure, FetchError};
use super::update_messages::{ReadUpdateStatus, RequestUpdate, UpdateRequested, UpdateStatus};

const NOT_YET: FetchError = FetchError { failure: Failure::NoProvider, retry_after: None, cost_centavos: 0 };

impl Handler<ReadUpdateStatus> for Fetcher {
    type Result = Result<UpdateStatus, FetchError>;

    fn handle(&mut self, _: ReadUpdateStatus, _: &mut Self::Context) -> Self::Result {
        Err(NOT_YET)
    }
}

impl Handler<RequestUpdate> for Fetcher {
    type Result = Result<UpdateRequested, FetchError>;

    fn handle(&mut self, _: RequestUpdate, _: &mut Self::Context) -> Self::Result {
        Err(NOT_YET)
    }
}
