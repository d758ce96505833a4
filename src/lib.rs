#![doc = include_str!("ARCHITECTURE.md")]
#![recursion_limit = "256"]

pub mod ambient;
pub mod app;
pub mod cli;
pub mod config;
pub mod coordinator;
pub mod domain;
pub mod fetcher;
pub mod http;
pub mod journal;
pub mod postgres_tier;
pub mod redis_tier;
pub mod resilience;
pub mod sandbox;
pub mod supervision;
pub mod telemetry;
