//! `juscache serve`.

use secrecy::ExposeSecret;
use tokio::signal;

use super::{DONE, FAILED, program, say};
use crate::ambient::{SystemClock, SystemRandom};
use crate::app::{App, Ending};
use crate::config::Settings;
use crate::config::admin::ADMIN_TOKEN;

/// Runs the service until a signal, or until it cannot go on.
pub(super) fn run(settings: Settings) -> u8 {
    actix_rt::System::new().block_on(async move {
        match App::start(settings, SystemClock::shared(), SystemRandom::shared()).await {
            Ok(app) => {
                tracing::info!(address = %app.address(), "juscache listens");
                tell_token(&app);
                ending(app.run_until(stop_signal()).await)
            }
            Err(error) => {
                say(&format!("juscache cannot start: {error}"));
                FAILED
            }
        }
    })
}

/// Prints the admin token that was made at this start, if one was: once, to whoever started the service, and into no log line.
pub(super) fn tell_token(app: &App) {
    if app.generated_token().is_some() {
        let what = "admin token, made for this run and good on this machine only; what was spent:";
        say(&format!("{what}  {}", ledger_line(app)));
    }
}

/// What to paste to see what was spent; with the token, if it was made at this start.
pub(super) fn ledger_line(app: &App) -> String {
    let token = app.generated_token().map(|token| format!("{ADMIN_TOKEN}={} ", token.expose_secret()));
    format!("{}{} ledger --server http://{}", token.unwrap_or_default(), program(), app.address())
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
