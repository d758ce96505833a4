//! `juscache serve`.

use tokio::signal;

use super::{DONE, FAILED, say};
use crate::ambient::{SystemClock, SystemRandom};
use crate::app::{App, Ending};
use crate::config::Settings;

/// Runs the service until a signal, or until it cannot go on.
pub(super) fn run(settings: Settings) -> u8 {
    actix_rt::System::new().block_on(async move {
        for name in &settings.without_effect {
            tracing::warn!(setting = name, "this setting has no effect yet");
        }
        match App::start(settings, SystemClock::shared(), SystemRandom::shared()).await {
            Ok(app) => {
                tracing::info!(address = %app.address(), "juscache listens");
                ending(app.run_until(stop_signal()).await)
            }
            Err(error) => {
                say(&format!("juscache cannot start: {error}"));
                FAILED
            }
        }
    })
}

pub(super) fn ending(ending: Ending) -> u8 {
    match ending {
        Ending::Stopped => DONE,
        Ending::Fatal(reason) => {
            say(&format!("juscache gives up and leaves it to whoever runs it to start it again: {reason}"));
            FAILED
        }
    }
}

/// Resolves at Ctrl-C, and at SIGTERM where there is one.
pub(super) async fn stop_signal() {
    #[cfg(unix)]
    {
        let terminate = signal::unix::signal(signal::unix::SignalKind::terminate());
        if let Ok(mut terminate) = terminate {
            tokio::select! {
                _ = signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if signal::ctrl_c().await.is_err() {
        // No signal can be heard: run until killed.
        std::future::pending::<()>().await;
    }
}
