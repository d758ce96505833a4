//! What a vendor that counts sees of several nodes: never more requests in a minute than it allows, never more money than a cap, and
//! probes instead of a storm when it is out of order.

mod caps;
mod killed;
mod minute;
mod outage;
mod prices;
