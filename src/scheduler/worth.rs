//! What a refresh is worth and what it costs. Pure.

/// What a refresh is expected to cost, in centavos for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshPrice {
    /// `status-atualizacao`.
    pub status: u64,
    /// A cover.
    pub cover: u64,
    /// A page of movements.
    pub page: u64,
}

impl Default for RefreshPrice {
    fn default() -> Self {
        Self { status: 0, cover: 300, page: 300 }
    }
}
