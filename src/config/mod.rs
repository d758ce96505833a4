//! Every setting, read once, checked together, then handed to the rooms that need it. The variables and their defaults are
//! listed in the README.
//!
//! - `source`: the environment and `.env`; `reader`: typed values and the list of mistakes.
//! - `server`, `admin`, `coordinator`, `redis`, `postgres`, `fetcher`, `datajud`, `budget`, `supervision`, `updates`, `notifier`, `watch`,
//!   `callbacks`, `warm`: one concern each, with the reason for every bound.
//! - `reserved`: what the contract names for rooms to come.

pub mod admin;
pub mod budget;
pub mod callbacks;
pub mod coordinator;
pub mod datajud;
pub mod fetcher;
pub mod notifier;
pub mod postgres;
pub mod reader;
pub mod redis;
pub mod reserved;
pub mod server;
pub mod source;
pub mod supervision;
pub mod updates;
pub mod warm;
pub mod watch;

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use self::callbacks::CallbackSettings;
use self::coordinator::{CoordinatorSettings, Patience};
use self::datajud::DatajudSettings;
use self::fetcher::FetcherSettings;
use self::notifier::NotifierSettings;
use self::reader::{Mistakes, Reader};
use self::redis::RedisSettings;
use self::server::ServerSettings;
use self::source::Strings;
use self::supervision::SupervisionSettings;
use self::updates::UpdateSettings;
use self::warm::WarmSettings;
use self::watch::WatchSettings;
use crate::postgres_tier::ledger::messages::Caps;

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the service listens.
    pub server: ServerSettings,
    /// What opens the admin pages; none means one that is made at the start.
    pub admin_token: Option<SecretString>,
    /// Embedded database and journal.
    pub data_dir: PathBuf,
    /// A PostgreSQL server; none means the embedded one.
    pub database_url: Option<SecretString>,
    /// The shared tier; none without `REDIS_URL`.
    pub redis: Option<RedisSettings>,
    /// The vendor.
    pub fetcher: FetcherSettings,
    /// The second, free vendor.
    pub datajud: DatajudSettings,
    /// What may be spent.
    pub caps: Caps,
    /// The chain.
    pub coordinator: CoordinatorSettings,
    /// The actor tree.
    pub supervision: SupervisionSettings,
    /// Asking the court.
    pub updates: UpdateSettings,
    /// Loading lists in the background.
    pub warm: WarmSettings,
    /// Telling others what is new.
    pub notifier: NotifierSettings,
    /// Watched processes.
    pub watch: WatchSettings,
    /// What the vendor calls back.
    pub callbacks: CallbackSettings,
    /// Variables that are set but have no effect yet.
    pub without_effect: Vec<&'static str>,
}

impl Settings {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// With every wrong value at once, by name.
    pub fn read(source: &dyn Strings) -> Result<Self, Mistakes> {
        let mut reader = Reader::new(source);
        let coordinator = read_coordinator(&mut reader);
        let settings = Self {
            server: ServerSettings::read(&mut reader),
            admin_token: admin::read_token(&mut reader),
            data_dir: reader.text("JUSCACHE_DATA_DIR").unwrap_or_else(|| "./data".into()).into(),
            database_url: read_database_url(&mut reader),
            supervision: SupervisionSettings::default(),
            updates: UpdateSettings::default(),
            warm: WarmSettings::for_patience(coordinator.patience.hard),
            coordinator,
            notifier: NotifierSettings::read(&mut reader),
            watch: WatchSettings::read(&mut reader),
            callbacks: CallbackSettings::read(&mut reader),
            redis: read_redis(&mut reader),
            fetcher: FetcherSettings::read(&mut reader),
            caps: budget::read(&mut reader),
            datajud: DatajudSettings::read(&mut reader),
            without_effect: reserved::check(&mut reader),
        };
        reader.finish(settings)
    }
}

fn read_database_url(reader: &mut Reader<'_>) -> Option<SecretString> {
    let url = reader.text("DATABASE_URL")?;
    let address = SecretString::from(url.clone());
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        let what = "not an address of PostgreSQL: write it as postgres://user:password@host/database";
        reader.refuse("DATABASE_URL", what);
    } else if let Err(error) = crate::postgres_tier::connect::check_address(&address) {
        reader.refuse("DATABASE_URL", error.to_string());
    }
    Some(address)
}

fn read_coordinator(reader: &mut Reader<'_>) -> CoordinatorSettings {
    let default = CoordinatorSettings::default();
    let db_ttl = reader.duration("JUSCACHE_DB_TTL", default.db_ttl);
    CoordinatorSettings {
        near_ttl: reader.duration("JUSCACHE_NEAR_TTL", default.near_ttl),
        near_bytes: reader.bytes("JUSCACHE_NEAR_BYTES", default.near_bytes),
        redis_ttl: reader.duration("JUSCACHE_REDIS_TTL", default.redis_ttl),
        db_ttl,
        adaptive: coordinator::read_adaptive(reader, db_ttl),
        absent_ttl: reader.duration("JUSCACHE_ABSENT_TTL", default.absent_ttl),
        patience: Patience {
            soft: reader.duration("JUSCACHE_SOFT_TIMEOUT", default.patience.soft),
            hard: reader.timeout("JUSCACHE_HARD_TIMEOUT", default.patience.hard),
        },
        ..default
    }
}

fn read_redis(reader: &mut Reader<'_>) -> Option<RedisSettings> {
    let urls: Vec<String> = reader.text("REDIS_URL")?.split(',').map(|url| url.trim().to_owned()).collect();
    let settings = RedisSettings { urls, ..RedisSettings::default() };
    if crate::redis_tier::actor::check(&settings).is_err() {
        let what = "not an address of Redis: write it as redis://host:6379, rediss://host:6380, or a cluster's, \
                    comma-separated";
        reader.refuse("REDIS_URL", what);
    }
    Some(settings)
}

/// How long a whole lookup may take at the most: every tier's patience in turn, then the vendor's.
#[must_use]
pub fn lookup_limit(settings: &CoordinatorSettings) -> Duration {
    let tiers = settings.redis_patience * 2 + settings.postgres_patience + settings.store_patience;
    tiers + settings.patience.hard.max(settings.patience.soft)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn defaults_are_the_contracts() {
        let settings = Settings::read(&HashMap::new()).unwrap();
        assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8000");
        assert_eq!(settings.coordinator.near_ttl, Duration::from_secs(60));
        assert_eq!(settings.coordinator.near_bytes, 256 << 20);
        assert_eq!(settings.coordinator.db_ttl, Duration::from_secs(86_400));
        assert!(settings.redis.is_none() && settings.database_url.is_none());
        assert_eq!(settings.fetcher.base_url, "https://api.escavador.com");
    }

    #[test]
    fn every_mistake_is_reported_at_once_and_by_name() {
        let source = HashMap::from([
            ("JUSCACHE_DB_TTL", "yesterday"),
            ("JUSCACHE_NEAR_BYTES", "much"),
            ("DATABASE_URL", "mysql://localhost"),
            ("REDIS_URL", "http://localhost"),
            ("ESCAVADOR_REQUESTS_PER_MINUTE", "0"),
            ("JUSCACHE_SYNC_BATCH", "ten"),
            ("JUSCACHE_ADMIN_TOKEN", "short"),
            ("JUSCACHE_LISTEN", "0.0.0.0:8000"),
        ]);
        let Mistakes(mistakes) = Settings::read(&source).unwrap_err();
        let mut names: Vec<_> = mistakes.iter().map(|mistake| mistake.variable).collect();
        names.sort_unstable();
        let mut expected: Vec<_> = source.keys().copied().collect();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }

    #[test]
    fn an_open_address_has_to_be_wanted() {
        let open = HashMap::from([("JUSCACHE_LISTEN", "0.0.0.0:80"), ("JUSCACHE_ALLOW_ANONYMOUS", "true")]);
        assert!(Settings::read(&open).is_ok());
    }

    #[test]
    fn every_documented_kind_of_encryption_is_understood() {
        for mode in ["disable", "prefer", "require", "verify-ca", "verify-full"] {
            let url = format!("postgres://u:p@h/d?sslmode={mode}");
            assert!(Settings::read(&HashMap::from([("DATABASE_URL", url.as_str())])).is_ok(), "{mode}");
        }
    }

    #[test]
    fn a_secret_never_shows_up_in_a_mistake() {
        let source = HashMap::from([
            ("DATABASE_URL", "postgres://u:hunter2@h/d?sslmode=perhaps"),
            ("REDIS_URL", "http://:hunter2@h"),
            ("ESCAVADOR_BASE_URL", "https://u:hunter2@h"),
        ]);
        let Mistakes(mistakes) = Settings::read(&source).unwrap_err();
        assert_eq!(mistakes.len(), source.len());
        assert!(!format!("{mistakes:?}").contains("hunter2"), "{mistakes:?}");
    }
}
