//! The fallback chain from HTTP to the vendor, on a real PostgreSQL and a real Redis.

mod absence;
mod amend;
mod background;
mod coalescing;
mod demands;
mod flows;
