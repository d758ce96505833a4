//! What was not bought, and thanks to whom.

/// Who spared a lookup the purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AvoidedBy {
    /// The copy in this process.
    Memory,
    /// Redis.
    Redis,
    /// A fresh copy in PostgreSQL.
    Database,
    /// Another reader, whose fetch it joined.
    Coalesced,
    /// The vendor, whose free check said that nothing is new.
    Confirmed,
}

impl AvoidedBy {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Memory, Self::Redis, Self::Database, Self::Coalesced, Self::Confirmed];

    /// The word for metrics and the ledger (`tier`).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Database => "database",
            Self::Coalesced => "coalesced",
            Self::Confirmed => "confirmed",
        }
    }
}
