//! Messages to work.

use chrono::{DateTime, Utc};

use super::messages::{
    AddSubscriber, BuryDeliveries, ClaimDeliveries, Claimed, CountDeliveries, DeadDelivery, DeliveryCounts,
    ListSubscribers, PruneDeliveries, ReadDead, RemoveSubscriber, ReplayDead, SettleDelivery, Subscriber,
};
use super::{admin, delivery};

answer!(AddSubscriber => Option<DateTime<Utc>>, store_timeout, admin::add);
answer!(ListSubscribers => Vec<Subscriber>, store_timeout, admin::list);
answer!(RemoveSubscriber => bool, store_timeout, admin::remove);
answer!(ReadDead => Vec<DeadDelivery>, store_timeout, admin::dead);
answer!(ReplayDead => bool, store_timeout, admin::replay);
answer!(ClaimDeliveries => Vec<Claimed>, store_timeout, delivery::claim);
answer!(SettleDelivery => (), store_timeout, delivery::settle);
answer!(BuryDeliveries => usize, store_timeout, delivery::bury);
answer!(PruneDeliveries => usize, store_timeout, delivery::prune);
answer!(CountDeliveries => DeliveryCounts, store_timeout, delivery::count);
