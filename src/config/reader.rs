//! Reads variables and collects every mistake, so that an operator sees all of them at once.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::source::Strings;

/// One wrong value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong and what would be right. Never the value of a secret.
    pub what: String,
}

/// Every wrong value there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Mistake { variable, what }) in self.0.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{variable}: {what}")?;
        }
        Ok(())
    }
}

/// Reads typed values; a wrong one is noted and replaced by its default, so that reading can go on.
pub struct Reader<'a> {
    source: &'a dyn Strings,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    /// Reads from a source.
    #[must_use]
    pub fn new(source: &'a dyn Strings) -> Self {
        Self { source, mistakes: Vec::new() }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// With every mistake that was noted.
    pub fn finish<T>(self, settings: T) -> Result<T, Mistakes> {
        if self.mistakes.is_empty() { Ok(settings) } else { Err(Mistakes(self.mistakes)) }
    }

    /// Notes a mistake that concerns more than one value's form.
    pub fn refuse(&mut self, variable: &'static str, what: impl Into<String>) {
        self.mistakes.push(Mistake { variable, what: what.into() });
    }

    /// The text as it is.
    #[must_use]
    pub fn text(&self, variable: &'static str) -> Option<String> {
        self.source.get(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// `90s`, `30m`, `1h`, `7d`.
    pub fn duration(&mut self, variable: &'static str, default: Duration) -> Duration {
        self.parse(variable, default, "a duration: write it as 90s, 30m, 1h or 7d", duration)
    }

    /// A duration that must be longer than nothing.
    pub fn timeout(&mut self, variable: &'static str, default: Duration) -> Duration {
        self.parse(variable, default, "a duration above zero: write it as 500ms, 2s or 1m", |text| {
            duration(text).filter(|timeout| !timeout.is_zero())
        })
    }

    /// `forever`, or a duration.
    pub fn retention(&mut self, variable: &'static str, default: Duration) -> Option<Duration> {
        let form = "a duration or `forever`: write it as 7d or forever";
        self.parse(variable, Some(default), form, |text| match text {
            "forever" => Some(None),
            _ => duration(text).map(Some),
        })
    }

    /// `256MiB`, `64kB`, or bytes.
    pub fn bytes(&mut self, variable: &'static str, default: u64) -> u64 {
        self.parse(variable, default, "a size: write it as 64MiB or 1GiB", |text| {
            text.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64())
        })
    }

    /// A whole number within bounds.
    pub fn number(&mut self, variable: &'static str, default: u32, (least, most): (u32, u32)) -> u32 {
        let form = format!("a whole number from {least} to {most}");
        self.parse(variable, default, &form, |text| text.parse().ok().filter(|number| (least..=most).contains(number)))
    }

    /// `true` or `false`.
    pub fn flag(&mut self, variable: &'static str, default: bool) -> bool {
        self.parse(variable, default, "`true` or `false`", |text| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
    }

    /// An address and port.
    pub fn address(&mut self, variable: &'static str, default: SocketAddr) -> SocketAddr {
        self.parse(variable, default, "an address with a port: write it as 127.0.0.1:8000", |text| {
            let text =
                text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
            text.parse().ok()
        })
    }

    /// An http or https address, without a trailing slash.
    pub fn base_url(&mut self, variable: &'static str, default: &str) -> String {
        self.parse(
            variable,
            default.to_owned(),
            "an address without credentials: write it as https://host or http://host:port",
            |text| {
                let url = reqwest::Url::parse(text).ok()?;
                // Credentials would end up in log lines and in the readiness report; the key has a variable of its own.
                let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
                let usable = matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare;
                usable.then(|| text.trim_end_matches('/').to_owned())
            },
        )
    }

    /// One of a few words.
    pub fn word<T: Clone>(&mut self, variable: &'static str, default: T, words: &[(&str, T)]) -> T {
        let form = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
        self.parse(variable, default, &form, |text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone())
        })
    }

    fn parse<T>(&mut self, variable: &'static str, default: T, form: &str, parse: impl FnOnce(&str) -> Option<T>) -> T {
        let Some(text) = self.text(variable) else {
            return default;
        };
        parse(&text).unwrap_or_else(|| {
            // What comes before an `@` may be a password.
            let shown: String = text.rsplit('@').next().unwrap_or_default().chars().take(40).collect();
            self.refuse(variable, format!("`{}` is not {form}", shown.escape_debug()));
            default
        })
    }
}

/// Nothing here lasts longer than ten years; sums of durations cannot overflow then.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok().filter(|duration| *duration <= LONGEST)
}
