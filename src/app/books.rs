//! Who keeps the books.

use futures_util::future::{BoxFuture, FutureExt, ready};

use crate::http::state::{Books, BooksAway};
use crate::ledger::report::{Days, LedgerReport};

/// Nobody yet: until PostgreSQL keeps them, they cannot be read.
pub(super) struct NoBooks;

impl Books for NoBooks {
    fn report(&self, _: Days) -> BoxFuture<'_, Result<LedgerReport, BooksAway>> {
        ready(Err(BooksAway)).boxed()
    }
}
