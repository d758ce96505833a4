//! The way to what all nodes share.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::ambient::SharedClock;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::sync::messages::{
    AddReads, BeginRun, Claim, Claimed, Clean, EndRun, Finish, Lead, Outlook, ReadExpiring, ReadOutlook, ReadRuns,
    ReadStanding, RequestRun, Requested, Resign, Run, Standing,
};
use crate::resilience::Deadline;
use crate::supervision::ActorRef;

/// An answer, or why there is none.
pub type Told<'a, T> = BoxFuture<'a, Result<T, PostgresError>>;

/// Where the synchronisation is written down for every node. Each of these happens whole or not at all, bears being asked twice, and
/// goes by one clock that all nodes share.
pub trait Book: Send + Sync {
    /// Takes the lead, or keeps it. Its epoch; none while another node leads.
    fn lead(&self, lead: Lead) -> Told<'_, Option<u64>>;

    /// Gives the lead up.
    fn resign(&self, resign: Resign) -> Told<'_, ()>;

    /// The run to work on, if there is one and the node leads.
    fn begin_run(&self, begin: BeginRun) -> Told<'_, Option<Run>>;

    /// What may be refreshed, and what the day has had.
    fn outlook(&self, read: ReadOutlook) -> Told<'_, Outlook>;

    /// What is known of one process that is about to expire; no candidate if there is nothing to refresh, or somebody is at it.
    fn expiring(&self, read: ReadExpiring) -> Told<'_, Outlook>;

    /// Takes a process for a refresh.
    fn claim(&self, claim: Claim) -> Told<'_, Claimed>;

    /// Writes down what came of it. False: it is another's by now.
    fn finish(&self, finish: Finish) -> Told<'_, bool>;

    /// Ends a run. None: another node leads.
    fn end_run(&self, end: EndRun) -> Told<'_, Option<Run>>;

    /// Asks for a run now.
    fn request_run(&self) -> Told<'_, Requested>;

    /// How everything stands.
    fn standing(&self, read: ReadStanding) -> Told<'_, Standing>;

    /// The last runs.
    fn runs(&self, read: ReadRuns) -> Told<'_, Vec<Run>>;

    /// Removes what nobody confirmed for long: how many processes and movements went.
    fn clean(&self, clean: Clean) -> Told<'_, u64>;

    /// Adds reads.
    fn add_reads(&self, add: AddReads) -> Told<'_, ()>;
}

/// The durable tier as a [`Book`].
#[derive(Clone)]
pub struct Shelf {
    postgres: ActorRef<PostgresTier>,
    clock: SharedClock,
    patience: Duration,
}

impl Shelf {
    /// Over the durable tier, which is waited for so long.
    #[must_use]
    pub fn new(postgres: ActorRef<PostgresTier>, clock: SharedClock, patience: Duration) -> Self {
        Self { postgres, clock, patience }
    }

    fn soon(&self) -> Deadline {
        Deadline::after(self.clock.monotonic(), self.patience)
    }
}

/// One method that is one message.
macro_rules! pass_on {
    ($($method:ident($message:ty) -> $answer:ty;)+) => {
        $(fn $method(&self, message: $message) -> Told<'_, $answer> {
            async move { self.postgres.ask(message, self.soon()).await? }.boxed()
        })+
    };
}

impl Book for Shelf {
    pass_on! {
        lead(Lead) -> Option<u64>;
        resign(Resign) -> ();
        begin_run(BeginRun) -> Option<Run>;
        outlook(ReadOutlook) -> Outlook;
        expiring(ReadExpiring) -> Outlook;
        claim(Claim) -> Claimed;
        finish(Finish) -> bool;
        end_run(EndRun) -> Option<Run>;
        standing(ReadStanding) -> Standing;
        runs(ReadRuns) -> Vec<Run>;
        clean(Clean) -> u64;
        add_reads(AddReads) -> ();
    }

    fn request_run(&self) -> Told<'_, Requested> {
        async move { self.postgres.ask(RequestRun, self.soon()).await? }.boxed()
    }
}
