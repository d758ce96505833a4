//! What a receiver checks: the signature of Standard Webhooks 1.0
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::ambient::Random;

/// What every written secret begins with.
const PREFIX: &str = "whsec_";

/// A new secret: 32 random bytes.
#[must_use]
pub fn new_secret(random: &dyn Random) -> SecretString {
    let bytes = [random.bits().to_be_bytes(), random.bits().to_be_bytes()].concat();
    SecretString::from(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

/// The value of `webhook-signature` for a message; none if the secret is not one of ours.
#[must_use]
pub fn sign(secret: &SecretString, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.expose_secret().strip_prefix(PREFIX)?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// The value of `webhook-id`: the same for every attempt, so that a receiver knows what it has seen.
#[must_use]
pub fn message_id(event: u64, subscriber: &str) -> String {
    format!("msg_{event}_{subscriber}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::SystemRandom;

    /// The example that the specification's libraries are tested with.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signature = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn everything_that_is_signed_changes_the_signature() {
        let secret = new_secret(&SystemRandom);
        let base = sign(&secret, "a", 1, b"x").unwrap();
        for other in [
            sign(&secret, "b", 1, b"x"),
            sign(&secret, "a", 2, b"x"),
            sign(&secret, "a", 1, b"y"),
            sign(&new_secret(&SystemRandom), "a", 1, b"x"),
        ] {
            assert_ne!(other.unwrap(), base);
        }
        assert_eq!(sign(&secret, "a", 1, b"x"), Some(base));
    }

    #[test]
    fn a_secret_is_32_bytes_behind_its_prefix_and_nothing_else_is_one() {
        let secret = new_secret(&SystemRandom);
        let bytes = STANDARD.decode(secret.expose_secret().strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(bytes.len(), 32);
        assert_ne!(secret.expose_secret(), new_secret(&SystemRandom).expose_secret());
        for wrong in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!"] {
            assert_eq!(sign(&wrong.into(), "a", 1, b"x"), None, "{wrong}");
        }
        assert_eq!(message_id(7, "whk_a"), "msg_7_whk_a");
    }
}
