//! `ESCAVADOR_CALLBACK_TOKEN`, and the bounds of working off what the vendor calls back. The bounds are not in the environment: they
//! follow from how the vendor behaves.

use std::time::Duration;

use secrecy::SecretString;

use super::reader::Reader;

/// The variable.
pub const CALLBACK_TOKEN: &str = "ESCAVADOR_CALLBACK_TOKEN";

/// How callbacks are received and worked off.
#[derive(Debug, Clone)]
pub struct CallbackSettings {
    /// What the vendor sends in `Authorization`, made in its panel; without one every callback is refused.
    pub token: Option<SecretString>,
    /// What storing a callback may take before the vendor is told to come again.
    pub intake_patience: Duration,
    /// How often a node looks for what waits; what it received itself it takes at once.
    pub look_every: Duration,
    /// Callbacks that one node works on at once: their bodies are in memory, 1 MiB each at the most.
    pub batch: usize,
    /// What changing our copy may take: no vendor is asked.
    pub amend_within: Duration,
    /// What buying a watched process may take.
    pub bring_within: Duration,
    /// What PostgreSQL may take; a little more than its tier's own timeouts.
    pub book_patience: Duration,
    /// The wait after the first attempt that came to nothing; doubles.
    pub first_pause: Duration,
    /// The longest wait between two attempts.
    pub longest_pause: Duration,
    /// Attempts before a callback is given up: with these pauses about two days.
    pub most_attempts: u32,
    /// How long what is done or ignored is remembered. The vendor repeats itself for three days at the most.
    pub keep: Duration,
    /// How long what failed is kept for a person to look at.
    pub keep_failed: Duration,
    /// How often what is old is forgotten.
    pub prune_every: Duration,
    /// Rows forgotten by one statement, so that it holds locks for a moment only.
    pub prune_batch: usize,
    /// How often the vendor's list is read: it is free, and what is missed is rare.
    pub list_every: Duration,
    /// How soon it is read after something may have been missed: several nodes that notice the same outage cause one reading.
    pub list_soon: Duration,
    /// How often a node looks whether a reading is due.
    pub list_look_every: Duration,
    /// What one page of the list may take.
    pub page_within: Duration,
    /// Pages of one turn; the reading goes on at the next.
    pub pages_a_turn: u32,
    /// The last page that is ever asked for: more than a hundred thousand callbacks since the last reading is a list without an end.
    pub last_page: u32,
    /// How far a reading begins before the last one: clocks differ by less.
    pub overlap: Duration,
    /// How far back the very first reading looks: as long as the vendor tries.
    pub look_back: Duration,
    /// The wait after a page that did not come.
    pub list_retry: Duration,
}

impl Default for CallbackSettings {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            token: None,
            intake_patience: Duration::from_secs(6),
            look_every: Duration::from_secs(5),
            batch: 16,
            amend_within: Duration::from_secs(10),
            bring_within: Duration::from_secs(60),
            book_patience: Duration::from_secs(6),
            first_pause: Duration::from_secs(15),
            longest_pause: MINUTE * 60 * 4,
            most_attempts: 20,
            keep: DAY * 30,
            keep_failed: DAY * 90,
            prune_every: MINUTE * 60,
            prune_batch: 500,
            list_every: MINUTE * 60,
            list_soon: MINUTE / 2,
            list_look_every: MINUTE / 6,
            page_within: MINUTE / 2,
            pages_a_turn: 50,
            last_page: 5_000,
            overlap: MINUTE * 60,
            look_back: DAY * 3,
            list_retry: MINUTE * 5,
        }
    }
}

impl CallbackSettings {
    /// Reads the token; a mistake never repeats it.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let token = reader.text(CALLBACK_TOKEN);
        if token.as_ref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            let what = "cannot be sent in a header: use letters, digits and signs of ASCII only, without blanks";
            reader.refuse(CALLBACK_TOKEN, what);
        }
        Self { token: token.map(SecretString::from), ..Self::default() }
    }

    /// How long a node that took a callback keeps it from the others: longer than anything it may do with it.
    #[must_use]
    pub fn lease(&self) -> Duration {
        const MARGIN: Duration = Duration::from_secs(10);
        self.amend_within * 2 + self.bring_within + self.book_patience * 3 + MARGIN
    }

    /// How long a node that reads the list keeps it from the others without a sign of progress.
    #[must_use]
    pub fn list_lease(&self) -> Duration {
        const MARGIN: Duration = Duration::from_secs(30);
        // A page has at most a hundred callbacks (the vendor's other lists have 20), each stored in milliseconds.
        self.page_within + self.intake_patience * 4 + MARGIN
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::config::Settings;

    #[test]
    fn a_token_can_be_sent_and_is_never_shown() {
        let read = |token| Settings::read(&HashMap::from([("ESCAVADOR_CALLBACK_TOKEN", token)]));
        let settings = read("s3gredo").unwrap();
        assert!(settings.callbacks.token.is_some() && settings.without_effect.is_empty());
        assert!(!format!("{settings:?}").contains("s3gredo"));
        assert!(Settings::read(&HashMap::new()).unwrap().callbacks.token.is_none());
        for wrong in ["hunter2 hunter2", "hunter2ç"] {
            let mistakes = read(wrong).unwrap_err();
            assert!(mistakes.to_string().starts_with("ESCAVADOR_CALLBACK_TOKEN: "), "{mistakes}");
            assert!(!format!("{mistakes:?}").contains("hunter2"), "{mistakes:?}");
        }
    }
}
