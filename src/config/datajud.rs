//! `DATAJUD_API_KEY`, `DATAJUD_BASE_URL`, `DATAJUD_REQUESTS_PER_MINUTE`, `DATAJUD_USE`, and the bounds around the second provider.

use std::time::Duration;

use secrecy::SecretString;

use super::reader::Reader;

/// What the free provider is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum DatajudUse {
    /// It answers where Escavador cannot (no key, no credit, no budget, down) and no copy of Escavador's is held.
    #[default]
    Fallback,
    /// The same; and where a copy of Escavador's is held that cannot be renewed, its newer movements are added to it.
    Complement,
    /// It is asked before anything is bought; Escavador only when it knows nothing.
    First,
    /// It is never asked.
    Off,
}

impl DatajudUse {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Fallback, Self::Complement, Self::First, Self::Off];

    /// The word in the setting and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fallback => "fallback",
            Self::Complement => "complement",
            Self::First => "first",
            Self::Off => "off",
        }
    }
}

/// How DataJud is asked.
#[derive(Debug, Clone)]
pub struct DatajudSettings {
    /// The key that the CNJ publishes, one for everybody, and changes without notice; without one the provider is off.
    pub api_key: Option<SecretString>,
    /// Scheme, host and port, without the alias.
    pub base_url: String,
    /// The terms of use allow 120 a minute.
    pub requests_per_minute: u32,
    /// What it is for.
    pub r#use: DatajudUse,
    /// One request, from connecting to the last byte: ten to forty seconds are common there, and its own gateway gives up after sixty.
    pub request_timeout: Duration,
    /// Connecting alone: a host that does not accept by then is down.
    pub connect_timeout: Duration,
    /// Tries of one request, the first included. The service rejects requests in a rush, and takes them a moment later.
    pub max_attempts: u32,
    /// First back-off before a retry; doubles, with full jitter.
    pub retry_base: Duration,
    /// The longest a `Retry-After` is waited for inside one fetch; longer ones end it with that advice.
    pub retry_cap: Duration,
    /// Hits of one page. A process has one hit for each degree, class and judging body, so one page nearly always holds them all.
    pub page_size: u32,
    /// Pages of one process: beyond a hundred hits something is wrong.
    pub max_pages: u32,
    /// Bytes of one answer: beyond it a body counts as unreadable. Every hit carries its whole list of movements.
    pub max_body: usize,
}

impl Default for DatajudSettings {
    fn default() -> Self {
        Self {
            api_key: None,
            base_url: "https://api-publica.datajud.cnj.jus.br".into(),
            requests_per_minute: 120,
            r#use: DatajudUse::default(),
            request_timeout: Duration::from_secs(35),
            connect_timeout: Duration::from_secs(5),
            max_attempts: 2,
            retry_base: Duration::from_millis(500),
            retry_cap: Duration::from_secs(3),
            page_size: 10,
            max_pages: 10,
            max_body: 32 * 1024 * 1024,
        }
    }
}

impl DatajudSettings {
    /// Reads the variables.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let default = Self::default();
        let words = DatajudUse::ALL.map(|usage| (usage.as_str(), usage));
        Self {
            api_key: reader.text("DATAJUD_API_KEY").map(SecretString::from),
            base_url: reader.base_url("DATAJUD_BASE_URL", &default.base_url),
            requests_per_minute: reader.number(
                "DATAJUD_REQUESTS_PER_MINUTE",
                default.requests_per_minute,
                (1, 100_000),
            ),
            r#use: reader.word("DATAJUD_USE", default.r#use, &words),
            ..default
        }
    }

    /// Whether it will ever be asked: it has a key and a use.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.api_key.is_some() && self.r#use != DatajudUse::Off
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(source: &HashMap<&str, &str>) -> Option<DatajudSettings> {
        let mut reader = Reader::new(source);
        let settings = DatajudSettings::read(&mut reader);
        reader.finish(settings).ok()
    }

    #[test]
    fn it_is_off_until_it_has_a_key() {
        let bare = read(&HashMap::new()).unwrap();
        assert_eq!((bare.base_url.as_str(), bare.requests_per_minute), ("https://api-publica.datajud.cnj.jus.br", 120));
        assert_eq!((bare.r#use, bare.is_on()), (DatajudUse::Fallback, false));
        assert!(read(&HashMap::from([("DATAJUD_API_KEY", "k")])).unwrap().is_on());
        assert!(!read(&HashMap::from([("DATAJUD_API_KEY", "k"), ("DATAJUD_USE", "off")])).unwrap().is_on());
    }

    #[test]
    fn each_use_goes_by_its_word_and_no_other() {
        for usage in DatajudUse::ALL {
            let read = read(&HashMap::from([("DATAJUD_USE", usage.as_str())])).unwrap();
            assert_eq!(read.r#use, usage);
        }
        assert!(read(&HashMap::from([("DATAJUD_USE", "sometimes")])).is_none());
        assert!(read(&HashMap::from([("DATAJUD_REQUESTS_PER_MINUTE", "0")])).is_none());
    }
}
