//! `ESCAVADOR_API_KEY`, `ESCAVADOR_BASE_URL`, `ESCAVADOR_REQUESTS_PER_MINUTE`, and the bounds around the vendor.

use std::time::Duration;

use secrecy::SecretString;

/// How the vendor is asked.
#[derive(Debug, Clone)]
pub struct FetcherSettings {
    /// The account's token; without one the provider is off.
    pub api_key: Option<SecretString>,
    /// Scheme, host and port, without `/api/v2`.
    pub base_url: String,
    /// The vendor documents 500 a minute for each account.
    pub requests_per_minute: u32,
    /// One request, from connecting to the last byte: the slowest cover reported took seconds, so more is an outage.
    pub request_timeout: Duration,
    /// Connecting alone: a host that does not accept by then is down.
    pub connect_timeout: Duration,
    /// Tries of one request, the first included. Only what may be repeated is.
    pub max_attempts: u32,
    /// First back-off before a retry; doubles, with full jitter.
    pub retry_base: Duration,
    /// The longest a `Retry-After` is waited for inside one fetch; longer ones end it with that advice.
    pub retry_cap: Duration,
    /// Pages of one process: 500 movements each, so the default allows 50,000 movements.
    pub max_pages: u32,
    /// Bytes of one answer: beyond it a body counts as unreadable.
    pub max_body: usize,
    /// Requests in flight at once.
    pub max_in_flight: usize,
}

impl Default for FetcherSettings {
    fn default() -> Self {
        Self {
            api_key: None,
            base_url: "https://api.escavador.com".into(),
            requests_per_minute: 500,
            request_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(3),
            max_attempts: 3,
            retry_base: Duration::from_millis(200),
            retry_cap: Duration::from_secs(2),
            max_pages: 100,
            max_body: 32 * 1024 * 1024,
            max_in_flight: 64,
        }
    }
}
