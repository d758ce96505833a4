//! The durable tier, in PostgreSQL.

/// A message that is one piece of work on a connection: its answer, the setting that bounds it, and what does it, which must bear being done
/// twice. Each runs in a task of its own, so that a slow one delays no other.
macro_rules! answer {
    ($message:ty => $answer:ty, $within:ident, $query:path) => {
        answer!($message => $answer, $within, |connection, message| $query(connection, &message));
    };
    ($message:ty => $answer:ty, $within:ident, |$connection:ident, $given:ident| $work:expr) => {
        impl actix::Handler<$message> for $crate::postgres_tier::PostgresTier {
            type Result = actix::ResponseFuture<Result<$answer, $crate::postgres_tier::messages::PostgresError>>;

            fn handle(&mut self, $given: $message, _: &mut Self::Context) -> Self::Result {
                let tier = std::rc::Rc::clone(&self.tier);
                Box::pin(async move {
                    let within = tier.settings().$within;
                    tier.operate(within, async |$connection| $work.await).await
                })
            }
        }
    };
}

pub mod actor;
pub mod bell;
pub mod callbacks;
pub mod connect;
#[cfg_attr(not(feature = "embedded"), path = "embedded_absent.rs")]
pub mod embedded;
pub mod events;
mod handlers;
pub mod ledger;
pub mod messages;
pub mod migrations;
mod models;
mod pool;
mod queries;
mod schema;
pub mod status;
mod store;
pub mod sync;
mod tier;
pub mod updates;
pub mod warm;
pub mod watch;
pub mod webhooks;

pub use actor::PostgresTier;
pub use status::PostgresStatus;
