//! `ESCAVADOR_API_KEY`, `ESCAVADOR_BASE_URL`, `ESCAVADOR_REQUESTS_PER_MINUTE`, `ESCAVADOR_TIMEOUT`, `ESCAVADOR_PRICE_…`,
//! `ESCAVADOR_BALANCE_AFTER`, and the bounds around the vendor.

use std::time::Duration;

use secrecy::SecretString;

use super::reader::Reader;
use crate::fetcher::prices::PriceList;
use crate::fetcher::standing::StandingSettings;

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
    /// Requests in flight at once, while the vendor is quick; fewer when it is slow.
    pub max_in_flight: usize,
    /// What requests cost until the vendor says otherwise.
    pub prices: PriceList,
    /// When asking stops after failures, and for how long.
    pub standing: StandingSettings,
    /// After this long without a request, if some of the ledger is not known for certain, the vendor's balance is looked at (free) and the
    /// ledger is put right by it; zero never looks.
    pub balance_after: Duration,
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
            prices: PriceList::default(),
            standing: StandingSettings::default(),
            balance_after: Duration::from_secs(10),
        }
    }
}

impl FetcherSettings {
    /// Reads the variables.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let default = Self::default();
        let request_timeout = reader.timeout("ESCAVADOR_TIMEOUT", default.request_timeout);
        Self {
            request_timeout,
            connect_timeout: default.connect_timeout.min(request_timeout),
            api_key: reader.text("ESCAVADOR_API_KEY").map(SecretString::from),
            base_url: reader.base_url("ESCAVADOR_BASE_URL", &default.base_url),
            requests_per_minute: reader.number(
                "ESCAVADOR_REQUESTS_PER_MINUTE",
                default.requests_per_minute,
                (1, 1_000_000),
            ),
            prices: read_prices(reader, &default.prices),
            balance_after: reader.duration("ESCAVADOR_BALANCE_AFTER", default.balance_after),
            ..default
        }
    }
}

/// In centavos. Published prices differ by a factor of sixty, so what is configured here is corrected by what answers say.
fn read_prices(reader: &mut Reader<'_>, default: &PriceList) -> PriceList {
    let mut price = |variable, default: u64| {
        let default = u32::try_from(default).unwrap_or(u32::MAX);
        u64::from(reader.number(variable, default, (0, 1_000_000)))
    };
    PriceList {
        cover: price("ESCAVADOR_PRICE_COVER", default.cover),
        movements: price("ESCAVADOR_PRICE_MOVEMENTS", default.movements),
        movements_next: price("ESCAVADOR_PRICE_MOVEMENTS_NEXT", default.movements_next),
        status: price("ESCAVADOR_PRICE_STATUS", default.status),
        update_request: price("ESCAVADOR_PRICE_UPDATE_REQUEST", default.update_request),
        monitor_month: price("ESCAVADOR_PRICE_MONITOR", default.monitor_month),
    }
}
