//! Sends what is due, one after the other, for as long as the sandbox's port is open.

use std::time::Duration;

use reqwest::Client;
use reqwest::header::AUTHORIZATION;
use reqwest::redirect::Policy;
use tracing::warn;

use super::log::Delivery;
use crate::sandbox::control::Control;

/// How often is looked whether something is due. Short, because tests wait for it.
const TICK: Duration = Duration::from_millis(20);

/// Attempts between two looks at most, so that the loop always comes to its pause.
const BURST: usize = 256;

/// Runs until it is dropped.
pub(in crate::sandbox) async fn run(control: Control) {
    // A second install is refused, which is as good as the first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = match Client::builder().no_proxy().redirect(Policy::none()).build() {
        Ok(client) => client,
        Err(error) => {
            warn!(%error, "the sandbox sends no callbacks: it cannot make an http client");
            return;
        }
    };
    control.state().callbacks.forget_ways();
    loop {
        for _ in 0..BURST {
            let Some((delivery, timeout)) = next(&control) else {
                break;
            };
            let delivered = send(&client, &delivery, timeout).await;
            let now = control.clock().now();
            control.state().callbacks.finish(delivery.id, delivered, now);
        }
        tokio::time::sleep(TICK).await;
    }
}

fn next(control: &Control) -> Option<(Delivery, Duration)> {
    let mut state = control.state();
    control.settle_all(&mut state);
    let delivery = state.callbacks.take_due(control.clock().now())?;
    Some((delivery, state.callbacks.settings.timeout))
}

async fn send(client: &Client, delivery: &Delivery, timeout: Duration) -> bool {
    let request = client
        .post(&delivery.url)
        .header(AUTHORIZATION, &delivery.authorization)
        .header("User-Agent", "escavador-sandbox")
        .timeout(timeout)
        .json(&delivery.body);
    request.send().await.is_ok_and(|answer| answer.status().is_success())
}
