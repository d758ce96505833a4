//! What a simulated vendor is started with.

use std::time::Duration;

/// Settings of one [`super::Sandbox`]; the defaults never get in a caller's way.
#[derive(Clone)]
pub struct SandboxSettings {
    /// The same seed and number give the same process, whenever and wherever the sandbox runs.
    pub seed: u64,
    /// The only accepted bearer token; `None` lets any non-empty one pass.
    pub api_key: Option<String>,
    /// Wait before every answer.
    pub latency: Duration,
    /// Starting balance; at zero or below, priced routes answer 402.
    pub credits_centavos: i64,
    /// Token bucket of one account (the vendor documents 500); what exceeds it gets 429.
    pub requests_per_minute: u32,
    /// Refuse numbers with wrong check digits. Whether the vendor does is unknown; its own documentation contains such
    /// numbers, so the default is `false`.
    pub check_dv: bool,
    /// Which processes exist.
    pub known: Known,
    /// What an answer costs.
    pub prices: Prices,
    /// Time on the injected clock from an update request to its conclusion. Real ones were measured from half an hour to
    /// four hours; the default of 30 s is for people who watch.
    pub update_delay: Duration,
    /// Time on the injected clock until a new monitor has found its process, or not.
    pub monitor_delay: Duration,
    /// How callbacks are sent.
    pub callbacks: CallbackSandbox,
    /// Whether `links.next` repeats `limit` and `ordem`. The documentation's example shows neither; with `false` a caller
    /// that follows the link as it is gets pages of 20, newest first.
    pub links_repeat_parameters: bool,
    /// The simulated DataJud.
    pub datajud: DatajudSandbox,
}

impl Default for SandboxSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            api_key: None,
            latency: Duration::ZERO,
            credits_centavos: 100_000_000,
            requests_per_minute: 500,
            check_dv: false,
            known: Known::All,
            prices: Prices::default(),
            update_delay: Duration::from_secs(30),
            monitor_delay: Duration::from_secs(2),
            callbacks: CallbackSandbox::default(),
            links_repeat_parameters: true,
            datajud: DatajudSandbox::default(),
        }
    }
}

/// How the simulated vendor sends callbacks.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackSandbox {
    /// The account's one address; without it events wait in the log.
    pub url: Option<String>,
    /// What stands in the `Authorization` header.
    pub token: String,
    /// How it stands there.
    pub style: TokenStyle,
    /// After the n-th failed attempt the next comes 2^n of this later, on the injected clock. The vendor's is a minute.
    pub retry_unit: Duration,
    /// How long an answer is waited for; the vendor's is unknown.
    pub timeout: Duration,
    /// How many of a hundred events are sent twice.
    pub duplicate_percent: u32,
    /// Whether what is due goes out in any order instead of the oldest first.
    pub shuffled: bool,
}

impl Default for CallbackSandbox {
    fn default() -> Self {
        Self {
            url: None,
            token: String::new(),
            style: TokenStyle::Raw,
            retry_unit: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            duplicate_percent: 0,
            shuffled: false,
        }
    }
}

impl CallbackSandbox {
    /// The header's value.
    pub(super) fn authorization(&self) -> String {
        match self.style {
            TokenStyle::Raw => self.token.clone(),
            TokenStyle::Bearer => format!("Bearer {}", self.token),
        }
    }
}

/// How the token stands in a callback's `Authorization` header. The documentation does not say; third parties compare both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStyle {
    /// The token and nothing else.
    Raw,
    /// `Bearer <token>`.
    Bearer,
}

/// The simulated DataJud's own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatajudSandbox {
    /// The only accepted key; `None` lets any non-empty one pass.
    pub api_key: Option<String>,
    /// Token bucket of everybody (the terms of use allow 120); what exceeds it gets 429.
    pub requests_per_minute: u32,
    /// How many days the courts hand movements in late, counted from today on the injected clock. Real ones need one to seven; with
    /// zero everything is there at once.
    pub lag_days: u32,
}

impl Default for DatajudSandbox {
    fn default() -> Self {
        Self { api_key: None, requests_per_minute: 120, lag_days: 0 }
    }
}

/// Which processes the simulated base holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Every number whose J.TR is a court, except those whose sequential part starts with `9999`. Two more prefixes are
    /// special: `9998` is under secrecy of justice, `9997` has a cover and no movements.
    All,
    /// Only these, masked or as 20 digits.
    Listed(Vec<String>),
}

/// Centavos of a real for each answer, told in `Creditos-Utilizados`.
///
/// Guesses to be configured: third parties' price lists of 2025 and 2026 differ by a factor of sixty. The defaults are the
/// highest seen (the vendor's panel, 2026-08), so that a test that counts money notices every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// A process's cover.
    pub cover: i64,
    /// The first page of its movements; the following ones are free with the `li` of the first.
    pub movements: i64,
    /// The first page of its parties.
    pub envolvidos: i64,
    /// An update request, charged when it is accepted.
    pub update: i64,
    /// `status-atualizacao`: documented as free.
    pub status: i64,
    /// Creating a monitor: measured as free. What its month costs is charged elsewhere.
    pub monitor: i64,
}

impl Default for Prices {
    fn default() -> Self {
        Self { cover: 300, movements: 300, envolvidos: 5, update: 300, status: 0, monitor: 0 }
    }
}
