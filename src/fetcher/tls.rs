//! The one place that chooses the cryptography of the HTTP clients.

/// Makes ring the process's cryptography, unless something else was chosen before.
///
/// reqwest is built without a provider of its own, because its default one needs a C toolchain to build; it refuses to make a client
/// while the process has none.
pub(crate) fn install_cryptography() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::trace!("the process has a cryptography already");
    }
}
