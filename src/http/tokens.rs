//! What every door needs that one secret token opens: a comparison that tells nothing, and a bound for those who guess.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// Wrong tokens that one peer may try in a [`WINDOW`]: enough for a person with a wrong `.env`, nothing for whoever guesses.
pub(super) const ATTEMPTS: u32 = 30;
/// How long wrong tokens are remembered.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// Peers whose wrong tokens are counted apart; all others share one count, so that memory has an end.
pub(super) const PEERS: usize = 1024;
/// Where those others are counted.
const OTHERS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// A token, as a digest only. Without `Debug`: a short token could be found from it.
pub(super) struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of a token.
    pub(super) fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Whether it is this token's. Every byte of the digests is compared, wherever the first difference is: how long it takes says
    /// nothing about the token.
    pub(super) fn is_of(&self, given: &[u8]) -> bool {
        let Self(given) = Self::of(given);
        self.0.iter().zip(given).fold(0, |difference, (own, given)| difference | (own ^ given)) == 0
    }
}

/// How often each peer was wrong lately.
#[derive(Debug, Default)]
pub(super) struct WrongTokens {
    peers: HashMap<IpAddr, Wrong>,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    since: Instant,
    count: u32,
}

impl Wrong {
    fn rest(&self, now: Instant) -> Duration {
        WINDOW.saturating_sub(now.saturating_duration_since(self.since))
    }
}

impl WrongTokens {
    /// How long a peer has to wait before another token of its is looked at.
    pub(super) fn wait(&mut self, peer: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let key = self.key(peer, now);
        let wrong = self.peers.get(&key)?;
        let rest = wrong.rest(now);
        (wrong.count >= ATTEMPTS && !rest.is_zero()).then_some(rest)
    }

    /// Counts a wrong token; names the peer whose limit this one reached.
    pub(super) fn note(&mut self, peer: Option<IpAddr>, now: Instant) -> Option<IpAddr> {
        let key = self.key(peer, now);
        let wrong = self.peers.entry(key).or_insert(Wrong { since: now, count: 0 });
        if wrong.rest(now).is_zero() {
            *wrong = Wrong { since: now, count: 0 };
        }
        wrong.count += 1;
        (wrong.count == ATTEMPTS).then_some(key)
    }

    /// How many are counted apart.
    #[cfg(test)]
    pub(super) fn peers(&self) -> usize {
        self.peers.len()
    }

    /// What a peer is counted under. One who can have a whole IPv6 network for himself is still one.
    fn key(&mut self, peer: Option<IpAddr>, now: Instant) -> IpAddr {
        let key = match peer.map_or(OTHERS, |peer| peer.to_canonical()) {
            IpAddr::V6(address) if !address.is_loopback() => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
            }
            address => address,
        };
        if self.peers.contains_key(&key) {
            return key;
        }
        if self.peers.len() >= PEERS {
            self.peers.retain(|_, wrong| !wrong.rest(now).is_zero());
        }
        if self.peers.len() >= PEERS { OTHERS } else { key }
    }
}
