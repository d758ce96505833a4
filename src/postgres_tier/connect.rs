//! One connection to PostgreSQL, encrypted where the address asks for it.
//!
//! `sslmode` in the address, and what it means here:
//!
//! | `sslmode` | |
//! |---|---|
//! | `disable` | never encrypted |
//! | `prefer`, or nothing | encrypted if the server offers it with a certificate that this machine trusts, otherwise in the clear: a convenience, not a protection |
//! | `require`, `verify-ca`, `verify-full` | encrypted, and the certificate must be trusted by this machine and name the host |
//!
//! Unlike in libpq, `require` checks the certificate too: encryption to nobody knows whom protects from little. A private authority
//! is trusted by adding it to the machine's store, or by naming its file in `SSL_CERT_FILE`.

use std::sync::Arc;
use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

const APPLICATION: &str = "juscache";
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The address cannot be understood. The text holds no password.
    #[error("DATABASE_URL is not a PostgreSQL address: {0}")]
    Address(tokio_postgres::Error),
    /// No server there, or it refused: wrong password, no such database, too many connections.
    #[error("postgresql refused the connection: {0}")]
    Refused(String),
    /// Encryption is required, and this machine trusts no authority.
    #[error("no certificate authority found on this machine; install ca-certificates, or name a file in SSL_CERT_FILE")]
    NoAuthority,
    /// Encryption cannot be set up.
    #[error("encryption cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The server accepted the connection, but not its settings.
    #[error("the new connection cannot be used: {0}")]
    Unusable(String),
    /// No answer in time.
    #[error("postgresql does not answer within {0:?}")]
    TimedOut(Duration),
}

impl From<ConnectError> for ConnectionError {
    fn from(error: ConnectError) -> Self {
        Self::BadConnection(error.to_string())
    }
}

/// Checks an address without connecting.
///
/// # Errors
/// [`ConnectError::Address`].
pub fn check_address(url: &SecretString) -> Result<(), ConnectError> {
    parse(url.expose_secret()).map(drop)
}

/// Makes connections to one address. Clones share the certificates once they are read.
#[derive(Clone)]
pub struct Connector {
    url: SecretString,
    within: Duration,
    statement_timeout: Duration,
    tls: Arc<OnceCell<MakeRustlsConnect>>,
}

impl Connector {
    /// A connector to `url` that takes at most `within` for a connection. A statement on it is ended by the server after
    /// `statement_timeout`, zero for never: what we gave up on must not go on for ever over there. So is a transaction whose client
    /// has fallen silent for as long: a node that is frozen in the middle of a store keeps nobody else from the process.
    #[must_use]
    pub fn new(url: SecretString, within: Duration, statement_timeout: Duration) -> Self {
        Self { url, within, statement_timeout, tls: Arc::default() }
    }

    /// Opens a connection. Its task runs on the current arbiter.
    ///
    /// # Errors
    /// Any [`ConnectError`].
    pub async fn connect(&self) -> Result<AsyncPgConnection, ConnectError> {
        timeout(self.within, self.open()).await.map_err(|_elapsed| ConnectError::TimedOut(self.within))?
    }

    async fn open(&self) -> Result<AsyncPgConnection, ConnectError> {
        let mut config = parse(self.url.expose_secret())?;
        config.application_name(APPLICATION).keepalives_idle(KEEPALIVE_AFTER).connect_timeout(self.within);
        let mut connection = match config.get_ssl_mode() {
            SslMode::Disable => self.plain(&config).await?,
            SslMode::Prefer => match self.encrypted(&config).await {
                Ok(connection) => connection,
                // The server has answered and meant it: asking again in the clear changes nothing.
                Err(refused @ ConnectError::Unusable(_)) => return Err(refused),
                Err(_any) => self.plain(config.ssl_mode(SslMode::Disable)).await?,
            },
            _ => self.encrypted(&config).await?,
        };
        // By a statement and not by startup parameters, which pgbouncer refuses.
        let most = self.statement_timeout.as_millis();
        let settings = format!("SET statement_timeout = {most}; SET idle_in_transaction_session_timeout = {most}");
        connection.batch_execute(&settings).await.map_err(|error| ConnectError::Unusable(error.to_string()))?;
        Ok(connection)
    }

    async fn plain(&self, config: &Config) -> Result<AsyncPgConnection, ConnectError> {
        let (client, connection) = config.connect(NoTls).await.map_err(refusal)?;
        AsyncPgConnection::try_from_client_and_connection(client, connection).await.map_err(unusable)
    }

    async fn encrypted(&self, config: &Config) -> Result<AsyncPgConnection, ConnectError> {
        let tls = self.tls.get_or_try_init(verifying_connector).await?.clone();
        let (client, connection) = config.connect(tls).await.map_err(refusal)?;
        AsyncPgConnection::try_from_client_and_connection(client, connection).await.map_err(unusable)
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("within", &self.within).finish_non_exhaustive()
    }
}

/// tokio-postgres knows no `verify-…`; its `require` leaves the checking to the TLS library, and ours always checks.
fn parse(url: &str) -> Result<Config, ConnectError> {
    let url = url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
    url.parse().map_err(ConnectError::Address)
}

fn refusal(error: tokio_postgres::Error) -> ConnectError {
    let reason = error.as_db_error().map(|refused| refused.message().to_owned());
    ConnectError::Refused(reason.unwrap_or_else(|| error.to_string()))
}

fn unusable(error: ConnectionError) -> ConnectError {
    ConnectError::Unusable(error.to_string())
}

async fn verifying_connector() -> Result<MakeRustlsConnect, ConnectError> {
    // The machine's store is a folder of files.
    let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(loaded.map(|loaded| loaded.certs).unwrap_or_default());
    if authorities.is_empty() {
        return Err(ConnectError::NoAuthority);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        parse(url).unwrap().get_ssl_mode()
    }

    #[test]
    fn the_modes_of_libpq_are_understood() {
        assert_eq!(mode("postgres://u@h/d"), SslMode::Prefer);
        assert_eq!(mode("postgres://u@h/d?sslmode=disable"), SslMode::Disable);
        for strict in ["require", "verify-ca", "verify-full"] {
            assert_eq!(mode(&format!("postgres://u@h/d?application_name=x&sslmode={strict}")), SslMode::Require);
        }
    }

    #[test]
    fn a_wrong_address_is_refused_without_telling_the_password() {
        for wrong in ["mysql://u:hunter2@h/d", "postgres://u:hunter2@h/d?sslmode=maybe", "postgres://u:hunter2@h:x/d"] {
            let error = check_address(&SecretString::from(wrong)).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
