//! Where a webhook goes: an address that was looked at when it was given, and is looked at again at every connection, because what a
//! name means may change.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use super::address::{self, Forbidden};

/// The longest address that is accepted.
pub const LONGEST_URL: usize = 2_048;

/// Why nothing may be sent to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TargetError {
    /// It is no absolute http or https address with a host.
    #[error("not an http or https address")]
    NotAnAddress,
    /// It is longer than [`LONGEST_URL`].
    #[error("a longer address than is accepted")]
    TooLong,
    /// It holds a user or a password, which would end up in lists and logs.
    #[error("an address with credentials")]
    Credentials,
    /// It leads to where webhooks may not go.
    #[error("{0}")]
    Forbidden(#[from] Forbidden),
    /// Its name has no address, or nobody can say now.
    #[error("a name without an address")]
    Unresolved,
}

/// Reads an address.
///
/// # Errors
/// What is wrong with it as it is written; where its name leads is not looked up.
pub fn parse(text: &str) -> Result<Url, TargetError> {
    if text.len() > LONGEST_URL {
        return Err(TargetError::TooLong);
    }
    let url = Url::parse(text.trim()).map_err(|_not_an_address| TargetError::NotAnAddress)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(TargetError::NotAnAddress);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::Credentials);
    }
    if url.as_str().len() > LONGEST_URL {
        return Err(TargetError::TooLong);
    }
    Ok(url)
}

/// Whoever knows the addresses of names.
pub trait Names: Send + Sync {
    /// Every address of a name.
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The machine's own way to look names up.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemNames;

impl Names for SystemNames {
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.map(|found| found.ip()).collect()) }.boxed()
    }
}

/// Lets through what may be sent to. As the resolver of an HTTP client it is asked at every new connection.
#[derive(Clone)]
pub struct Gate {
    names: Arc<dyn Names>,
    allows_private: bool,
}

impl Gate {
    /// A gate; with `allows_private` it lets everything through.
    #[must_use]
    pub fn new(names: Arc<dyn Names>, allows_private: bool) -> Self {
        Self { names, allows_private }
    }

    /// Checks an address that needs no looking up; names pass.
    ///
    /// # Errors
    /// [`TargetError::Forbidden`].
    pub fn check_literal(&self, url: &Url) -> Result<(), TargetError> {
        match literal(url) {
            Some(address) => self.judge(address),
            None => Ok(()),
        }
    }

    /// Checks where an address leads now.
    ///
    /// # Errors
    /// [`TargetError::Forbidden`] or [`TargetError::Unresolved`].
    pub async fn check(&self, url: &Url) -> Result<(), TargetError> {
        match (literal(url), url.host_str()) {
            (Some(address), _) => self.judge(address),
            (None, Some(name)) => self.resolve(name.to_owned()).await.map(drop),
            (None, None) => Err(TargetError::NotAnAddress),
        }
    }

    /// The addresses of a name. One that is forbidden forbids them all: which of them is used is not ours to say.
    async fn resolve(&self, name: String) -> Result<Vec<IpAddr>, TargetError> {
        let found = self.names.addresses(name).await.map_err(|_any| TargetError::Unresolved)?;
        if found.is_empty() {
            return Err(TargetError::Unresolved);
        }
        found.iter().try_for_each(|address| self.judge(*address))?;
        Ok(found)
    }

    fn judge(&self, address: IpAddr) -> Result<(), TargetError> {
        if self.allows_private { Ok(()) } else { Ok(address::judge(address)?) }
    }
}

impl Resolve for Gate {
    fn resolve(&self, name: Name) -> Resolving {
        let (gate, name) = (self.clone(), name.as_str().to_owned());
        Box::pin(async move {
            let found = Self::resolve(&gate, name).await?;
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// The address itself, if it is not a name. (The parser has written `0x7f.1` as `127.0.0.1` already.)
fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every name has these addresses.
    pub(crate) struct Always(pub(crate) &'static [&'static str]);

    impl Names for Always {
        fn addresses(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            std::future::ready(Ok(self.0.iter().map(|address| address.parse().unwrap()).collect())).boxed()
        }
    }

    fn gate(addresses: &'static [&'static str]) -> Gate {
        Gate::new(Arc::new(Always(addresses)), false)
    }

    #[test]
    fn an_address_is_http_with_a_host_and_without_credentials() {
        for good in ["https://example.com", "http://example.com:8080/a?b=c", " https://[2606:4700::1]/ "] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for (bad, error) in [
            ("", TargetError::NotAnAddress),
            ("example.com", TargetError::NotAnAddress),
            ("ftp://example.com", TargetError::NotAnAddress),
            ("file:///etc/passwd", TargetError::NotAnAddress),
            ("https://", TargetError::NotAnAddress),
            ("https://user@example.com", TargetError::Credentials),
            ("https://user:secret@example.com", TargetError::Credentials),
        ] {
            assert_eq!(parse(bad), Err(error), "{bad}");
        }
        assert_eq!(parse(&format!("https://example.com/{}", "x".repeat(2_048))), Err(TargetError::TooLong));
        assert_eq!(parse(&format!("https://example.com/{}", "ã".repeat(900))), Err(TargetError::TooLong));
    }

    #[actix_rt::test]
    async fn every_way_to_write_a_forbidden_address_is_seen_through() {
        let open = gate(&["1.1.1.1"]);
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1:8080/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://169.254.169.254/latest/meta-data",
        ] {
            let url = parse(url).unwrap();
            assert!(matches!(open.check_literal(&url), Err(TargetError::Forbidden(_))), "{url}");
            assert!(matches!(open.check(&url).await, Err(TargetError::Forbidden(_))), "{url}");
            assert_eq!(Gate::new(Arc::new(SystemNames), true).check(&url).await, Ok(()), "{url}");
        }
        assert_eq!(open.check(&parse("http://1.1.1.1/").unwrap()).await, Ok(()));
    }

    #[actix_rt::test]
    async fn a_name_is_what_it_leads_to() {
        let url = parse("https://hooks.example.com/").unwrap();
        assert_eq!(gate(&["1.1.1.1", "2606:4700::1"]).check(&url).await, Ok(()));
        for mixed in [&["127.0.0.1"][..], &["1.1.1.1", "10.0.0.1"], &["2606:4700::1", "::1"]] {
            assert!(matches!(gate(mixed).check(&url).await, Err(TargetError::Forbidden(_))), "{mixed:?}");
            assert_eq!(gate(mixed).check_literal(&url), Ok(()));
        }
        assert_eq!(gate(&[]).check(&url).await, Err(TargetError::Unresolved));
    }
}
