//! What stands in for the embedded database in a build that leaves it out: the same face, and a refusal that says what to do.

use std::path::Path;

use secrecy::SecretString;
use thiserror::Error;

/// The only answer of this build.
#[derive(Debug, Error)]
#[error("this build has none: set DATABASE_URL to a server, or build with the feature `embedded`")]
pub struct EmbeddedError;

/// A database that is never there.
#[derive(Debug)]
pub enum Embedded {}

impl Embedded {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    #[expect(clippy::unused_async, reason = "the face of the real one")]
    pub async fn start(_: &Path) -> Result<Self, EmbeddedError> {
        Err(EmbeddedError)
    }

    /// Never called: there is no value to call it on.
    #[must_use]
    pub fn url(&self) -> SecretString {
        match *self {}
    }

    /// Never called: there is no value to call it on.
    #[expect(clippy::unused_async, reason = "the face of the real one")]
    pub async fn stop(self) {
        match self {}
    }
}
