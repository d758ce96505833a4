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
        let server = match self.address(environment) {
            Ok(server) => server,
            Err(mistake) => {
                say(&mistake);
                return WRONG_USAGE;
            }
        };
        match actix_rt::System::new().block_on(self.send(&server)) {
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
                let problem: Problem = serde_json::from_str(&body).unwrap_or_default();
                say(&problem.detail);
                FAILED
            }
            Err(error) => {
                say(&format!("no juscache answers at {server}: {error}"));
                FAILED
            }
        }
    }

    /// The service's address, without a path.
    pub(super) fn address(&self, environment: &Environment) -> Result<String, String> {
        if let Some(server) = self.server {
            return Ok(with_scheme(server));
        }
        let mut listen = Settings::read(environment).map_err(|mistakes| mistakes.to_string())?.server.listen;
        if listen.ip().is_unspecified() {
            // Listening everywhere is listening here too, and only from here is a generated token accepted.
            listen.set_ip(if listen.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1].into() });
        }
        Ok(format!("http://{listen}"))
    }

    async fn send(&self, server: &str) -> Result<(bool, String), reqwest::Error> {
        self.send_as(Method::GET, server).await
    }

    /// Sends it with a method of choice: whether it succeeded, and what came.
    pub(super) async fn send_as(&self, method: Method, server: &str) -> Result<(bool, String), reqwest::Error> {
        crate::fetcher::install_cryptography();
        let mut client = Client::builder().timeout(PATIENCE);
        if is_here(server) {
            // What stays on this machine, a token above all, is nothing for a proxy.
            client = client.no_proxy();
        }
        let mut request = client.build()?.request(method, format!("{server}{}", self.path));
        if let Some(token) = self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let response = request.send().await?;
        let answered = response.status().is_success();
        Ok((answered, response.text().await?))
    }
}

/// The admin token: as given, or from the environment, which other users of this machine cannot read.
pub(super) fn admin_token(environment: &Environment, given: Option<&SecretString>) -> Option<SecretString> {
    let from_environment =
        || environment.get(ADMIN_TOKEN).map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
    let token = given.cloned().or_else(|| from_environment().map(SecretString::from));
    if token.is_none() {
        say(
            "no admin token: give it with --token or JUSCACHE_ADMIN_TOKEN. If the service was started without one, it made one \
             and printed it on its stderr, in the line that begins with `admin token`",
        );
    }
    token
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

/// What is said in a problem.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    /// One sentence in Portuguese.
    pub(super) detail: String,
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
