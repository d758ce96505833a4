//! How the service ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use juscache::ambient::SystemClock;
use juscache::sandbox::{Endpoint, Sandbox, SandboxSettings};

use crate::support::house::{answer, number};
use crate::support::http;
use crate::support::postgres::Postgres;
use crate::support::process::Juscache;
use crate::support::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(30);

/// A reader who waits for a vendor that takes longer than the shutdown may is told so, on a connection that is whole.
#[actix_web::test]
async fn a_reader_who_would_wait_too_long_is_told_that_the_service_ends() {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let slow = SandboxSettings { latency: Duration::from_secs(60), ..SandboxSettings::default() };
    let vendor = Sandbox::start(slow, anywhere, SystemClock::shared()).await.expect("the sandbox starts");
    let database = Postgres::shared().database("stopping");
    let service = Juscache::new()
        .env("DATABASE_URL", &database.url)
        .env("ESCAVADOR_API_KEY", "test")
        // Nothing but the reader shall ask this slow vendor.
        .env("ESCAVADOR_BALANCE_AFTER", "0s")
        .env("ESCAVADOR_BASE_URL", &vendor.base_url());
    let running = service.start();
    let url = running.url(&format!("/api/v1/process-movements/{}/detailed", number()));
    let waiting = answer(http::client(PATIENCE).get(url));
    let stop = async {
        eventually(PATIENCE, "the vendor is asked", async || vendor.control().call_count(Endpoint::Cover) > 0).await;
        running.terminate();
    };
    let (told, ()) = futures_util::future::join(waiting, stop).await;
    assert_eq!((told.status, told.problem()), (503, "overloaded"), "{told:?}");
    assert_ne!(told.header("retry-after"), "");
    assert!(running.wait_exit(PATIENCE).success());
    vendor.stop().await;
}
