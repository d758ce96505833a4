//! On whose behalf something is asked and spent.

use serde::{Deserialize, Serialize};

/// Who is waiting for a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// A reader.
    Interactive,
    /// Work that nobody waits for: the synchronisation, a warm-up, the following of an update request.
    Background,
}

impl Lane {
    /// The word for logs, metrics and the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Background => "background",
        }
    }
}

/// Whose request made us spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    /// A reader without a key.
    #[default]
    Anonymous,
    /// The service itself.
    Service,
}

impl Caller {
    /// The word for the ledger (`client`).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Service => "service",
        }
    }

    /// In which lane its requests go: nobody waits for what the service does by itself.
    #[must_use]
    pub fn lane(self) -> Lane {
        match self {
            Self::Anonymous => Lane::Interactive,
            Self::Service => Lane::Background,
        }
    }
}
