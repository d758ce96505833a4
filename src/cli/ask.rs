//! How a command asks a running service, and what it makes of the answer.

use std::time::Duration;

use reqwest::{Client, Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{DONE, FAILED, WRONG_USAGE, print, say};
use crate::config::Settings;
use crate::config::admin::ADMIN_TOKEN;
use crate::config::source::{Environment, Strings};

/// Longer than a lookup takes with the default timeouts.
const PATIENCE: Duration = Duration::from_secs(60);

/// One question to a running service.
pub(super) struct Question<'a> {
    /// The service; by default the one that JUSCACHE_LISTEN names.
    pub(super) server: Option<&'a str>,
    /// From the first slash on.
    pub(super) path: String,
    /// For the admin pages.
    pub(super) token: Option<&'a SecretString>,
    /// Print the answer as it came.
    pub(super) json: bool,
}

impl Question<'_> {
    /// Asks, and prints the answer: as it came, or as `text` makes it readable.
    pub(super) fn ask(&self, environment: &Environment, text: impl FnOnce(&str) -> Result<String, String>) -> u8 {
        let service = match Service::open(environment, self.server, self.token) {
            Ok(service) => service,
            Err(mistake) => {
                say(&mistake);
                return WRONG_USAGE;
            }
        };
        let server = service.address();
        match actix_rt::System::new().block_on(service.ask(Method::GET, &self.path, None)) {
            Ok((true, body)) if self.json => {
                print(&body);
                DONE
            }
            Ok((true, body)) => match text(&body) {
                Ok(readable) => {
                    print(&readable);
                    DONE
                }
                Err(what) => {
                    say(&format!("{server} does not answer as a juscache of this version: {what}"));
                    FAILED
                }
            },
            Ok((false, body)) => {
                if self.json {
                    print(&body);
                }
                say(&sentence(&body));
                FAILED
            }
            Err(error) => {
                say(&format!("no juscache answers at {server}: {error}"));
                FAILED
            }
        }
    }
}

/// A running service.
pub(super) struct Service {
    address: String,
    client: Client,
    token: Option<SecretString>,
}

impl Service {
    /// The one that `server` names, by default the one that JUSCACHE_LISTEN names. Nothing is sent yet.
    ///
    /// # Errors
    /// Says which setting is wrong.
    pub(super) fn open(
        environment: &Environment,
        server: Option<&str>,
        token: Option<&SecretString>,
    ) -> Result<Self, String> {
        let address = address(environment, server)?;
        crate::fetcher::install_cryptography();
        let mut client = Client::builder().timeout(PATIENCE);
        if is_here(&address) {
            // What stays on this machine, a token above all, is nothing for a proxy.
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| format!("cannot speak HTTP: {error}"))?;
        Ok(Self { address, client, token: token.cloned() })
    }

    /// Its address, without a path.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Asks, and says whether it was answered as wished, with the body: a problem document otherwise.
    ///
    /// # Errors
    /// When nobody answers.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        json: Option<String>,
    ) -> Result<(bool, String), reqwest::Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(json) = json {
            request = request.header(reqwest::header::CONTENT_TYPE, "application/json").body(json);
        }
        let response = request.send().await?;
        let answered = response.status().is_success();
        Ok((answered, response.text().await?))
    }
}

/// The service's address, without a path.
fn address(environment: &Environment, server: Option<&str>) -> Result<String, String> {
    if let Some(server) = server {
        return Ok(with_scheme(server));
    }
    let mut listen = Settings::read(environment).map_err(|mistakes| mistakes.to_string())?.server.listen;
    if listen.ip().is_unspecified() {
        // Listening everywhere is listening here too, and only from here is a generated token accepted.
        listen.set_ip(if listen.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1].into() });
    }
    Ok(format!("http://{listen}"))
}

/// The admin token: as given, or as JUSCACHE_ADMIN_TOKEN says.
///
/// # Errors
/// Says how to give one.
pub(super) fn admin_token(environment: &Environment, given: Option<&SecretString>) -> Result<SecretString, String> {
    let from_environment =
        || environment.get(ADMIN_TOKEN).map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
    given.cloned().or_else(|| from_environment().map(SecretString::from)).ok_or_else(|| {
        "no admin token: give it with --token or JUSCACHE_ADMIN_TOKEN. If the service was started without one, it made one \
         and printed it on its stderr, in the line that begins with `admin token`"
            .to_owned()
    })
}

/// The one sentence of a problem document.
pub(super) fn sentence(body: &str) -> String {
    serde_json::from_str::<Problem>(body).unwrap_or_default().detail
}

fn with_scheme(server: &str) -> String {
    let bare = server.trim_end_matches('/');
    if bare.contains("://") { bare.to_owned() } else { format!("http://{bare}") }
}

/// Whether an address names this machine.
fn is_here(server: &str) -> bool {
    let url = Url::parse(server).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[derive(Deserialize)]
#[serde(default)]
struct Problem {
    detail: String,
}

impl Default for Problem {
    fn default() -> Self {
        Self { detail: "the service answered with an error".into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_with_or_without_its_scheme() {
        for (given, address) in [
            ("127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("localhost:8000/", "http://localhost:8000"),
            ("https://juscache.example//", "https://juscache.example"),
        ] {
            assert_eq!(with_scheme(given), address);
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for here in ["http://localhost:8000", "http://127.0.0.1:8000", "http://127.9.9.9", "http://[::1]:8000"] {
            assert!(is_here(here), "{here}");
        }
        for elsewhere in ["http://juscache:8000", "https://10.0.0.1", "http://localhost.example", "nonsense"] {
            assert!(!is_here(elsewhere), "{elsewhere}");
        }
    }
}
