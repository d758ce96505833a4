//! Log lines on stderr, and panics as log lines.

use std::io::stderr;
use std::panic;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::server::LogFormat;

/// What is logged when `RUST_LOG` is not set.
pub const DEFAULT_FILTER: &str = "info";

/// Starts logging for the whole process. `filter` is `RUST_LOG`; one that cannot be parsed is replaced by the default.
pub fn start(filter: Option<&str>, format: LogFormat) {
    let filter = filter.and_then(|filter| filter.parse::<EnvFilter>().ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(DEFAULT_FILTER));
    let lines = fmt().with_env_filter(filter).with_writer(stderr);
    // A second start, as in a test, keeps the first subscriber.
    let _started = match format {
        LogFormat::Text => lines.compact().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    log_panics();
}

/// A panic ends one actor or one request, and is one log line.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let message = payload.downcast_ref::<&str>().copied();
        let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        tracing::error!(place, message = message.unwrap_or("(no message)"), "panic");
    }));
}
