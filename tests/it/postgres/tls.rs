//! Encryption to PostgreSQL, by `sslmode`, against a server with a certificate that only it has signed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use diesel::dsl::sql;
use diesel::sql_types::Bool;
use juscache::postgres_tier::connect::{ConnectError, Connector};

use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

use super::samples::PATIENCE;

/// Set in the process that a test starts of itself: the address of the server.
const ADDRESS: &str = "JUSCACHE_TEST_TLS_ADDRESS";

/// A cluster that speaks TLS, and its certificate.
async fn encrypted_cluster() -> (Postgres, String) {
    let cluster = Postgres::own();
    // The server makes them itself, so that they are its user's.
    let make = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
                -days 2 -keyout server.key -out server.crt";
    cluster.execute("postgres", &format!("COPY (SELECT 1) TO PROGRAM '{make}'"));
    cluster.execute("postgres", "ALTER SYSTEM SET ssl = on");
    cluster.execute("postgres", "SELECT pg_reload_conf()");
    eventually(PATIENCE, "the server speaks TLS", async || {
        cluster.rows("postgres", "SHOW ssl") == [[Some("on".to_owned())]]
    })
    .await;
    let rows = cluster.rows("postgres", "SELECT pg_read_file('server.crt')");
    let certificate = rows.into_iter().flatten().flatten().collect();
    (cluster, certificate)
}

/// Whether the connection that `sslmode` leads to is encrypted.
async fn is_encrypted(address: &str, sslmode: &str) -> Result<bool, ConnectError> {
    use diesel_async::RunQueryDsl;

    let url = format!("{address}?sslmode={sslmode}");
    let connector = Connector::new(url.into(), PATIENCE, Duration::ZERO);
    let mut connection = connector.connect().await?;
    let ssl = sql::<Bool>("(SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())");
    Ok(diesel::select(ssl).get_result(&mut connection).await.unwrap())
}

#[actix_web::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_where_encryption_is_required() {
    let (cluster, _) = encrypted_cluster().await;
    let address = cluster.url("postgres");
    for lenient in ["disable", "prefer"] {
        assert!(!is_encrypted(&address, lenient).await.unwrap(), "{lenient}");
    }
    for strict in ["require", "verify-ca", "verify-full"] {
        let refused = is_encrypted(&address, strict).await.unwrap_err();
        assert!(matches!(refused, ConnectError::Refused(_) | ConnectError::NoAuthority), "{strict}: {refused}");
    }
}

#[actix_web::test]
async fn a_certificate_that_the_machine_trusts_encrypts() {
    let (cluster, certificate) = encrypted_cluster().await;
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, certificate).unwrap();
    let said = ask_with(&authority, &cluster.url("postgres"));
    assert!(said, "the process that trusts the certificate failed; its output is above");
}

/// The authorities are read from the environment, which is why another process has to try.
fn ask_with(authority: &Path, address: &str) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "postgres::tls::client", "--nocapture", "--ignored"]);
    command.env("SSL_CERT_FILE", authority).env(ADDRESS, address).status().unwrap().success()
}

#[actix_web::test]
#[ignore = "started by a_certificate_that_the_machine_trusts_encrypts"]
async fn client() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    for mode in ["prefer", "require", "verify-full"] {
        assert!(is_encrypted(&address, mode).await.unwrap(), "{mode}");
    }
    assert!(!is_encrypted(&address, "disable").await.unwrap());
    let elsewhere = address.replace("127.0.0.1", "localhost");
    let refused = is_encrypted(&elsewhere, "verify-full").await;
    assert!(refused.is_err(), "the certificate names 127.0.0.1 only");
}
