//! Messages to work, each in a task of its own.

use std::rc::Rc;

use actix::{Handler, ResponseFuture};
use chrono::{DateTime, Utc};

use super::messages::{
    AddSubscriber, BuryDeliveries, ClaimDeliveries, Claimed, CountDeliveries, DeadDelivery, DeliveryCounts,
    ListSubscribers, PruneDeliveries, ReadDead, RemoveSubscriber, ReplayDead, SettleDelivery, Subscriber,
};
use super::{admin, delivery};
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;

/// A message that is one piece of work on a connection, within the time of a store.
macro_rules! handle {
    ($message:ident => $answer:ty, $work:path) => {
        impl Handler<$message> for PostgresTier {
            type Result = ResponseFuture<Result<$answer, PostgresError>>;

            fn handle(&mut self, message: $message, _: &mut Self::Context) -> Self::Result {
                let tier = Rc::clone(&self.tier);
                Box::pin(async move {
                    let within = tier.settings().store_timeout;
                    tier.operate(within, async |connection| $work(connection, &message).await).await
                })
            }
        }
    };
}

handle!(AddSubscriber => Option<DateTime<Utc>>, admin::add);
handle!(ListSubscribers => Vec<Subscriber>, admin::list);
handle!(RemoveSubscriber => bool, admin::remove);
handle!(ReadDead => Vec<DeadDelivery>, admin::dead);
handle!(ReplayDead => bool, admin::replay);
handle!(ClaimDeliveries => Vec<Claimed>, delivery::claim);
handle!(SettleDelivery => (), delivery::settle);
handle!(BuryDeliveries => usize, delivery::bury);
handle!(PruneDeliveries => usize, delivery::prune);
handle!(CountDeliveries => DeliveryCounts, delivery::count);
