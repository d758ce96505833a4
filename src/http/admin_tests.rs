use std::net::Ipv4Addr;

use actix_web::http::header::HeaderName;

use super::*;
use crate::ambient::{Clock, SystemClock, SystemRandom};
use crate::http::tokens::{ATTEMPTS, PEERS, WINDOW};

const TOKEN: &str = "a token of the test";

fn set() -> AdminDoor {
    AdminDoor::new(&SecretString::from(TOKEN))
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn bearer(token: &str) -> HeaderMap {
    headers(&[("authorization", &format!("Bearer {token}"))])
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn now() -> Instant {
    SystemClock.monotonic()
}

#[test]
fn only_the_token_of_a_bearer_opens() {
    for line in ["Bearer a token of the test", "bearer a token of the test", "BEARER   a token of the test  "] {
        assert_eq!(set().knock(ip("192.0.2.1"), &headers(&[("authorization", line)]), now()), Ok(()), "{line}");
    }
    for line in ["", "Bearer", "Bearer ", "Bearer    ", "Basic YTpi", "a token of the test", "é"] {
        let refused = set().knock(ip("127.0.0.1"), &headers(&[("authorization", line)]), now());
        assert_eq!(refused, Err(Refusal::NoToken), "{line}");
    }
    let twice = headers(&[("authorization", "Bearer a token of the test"), ("authorization", "Bearer x")]);
    assert_eq!(set().knock(ip("127.0.0.1"), &twice, now()), Err(Refusal::NoToken));
    assert_eq!(set().knock(ip("127.0.0.1"), &HeaderMap::new(), now()), Err(Refusal::NoToken));
    for token in ["a token of the tes", "a token of the test.", "A token of the test", "x"] {
        assert_eq!(set().knock(ip("127.0.0.1"), &bearer(token), now()), Err(Refusal::WrongToken), "{token}");
    }
}

#[test]
fn a_new_token_opens_from_this_machine_only() {
    let (door, token) = AdminDoor::with_new_token(&SystemRandom);
    let token = token.expose_secret();
    assert_eq!(token.len(), 32, "128 bits");
    for here in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(door.knock(ip(here), &bearer(token), now()), Ok(()), "{here}");
    }
    for elsewhere in [None, ip("192.168.0.7"), ip("::ffff:10.0.0.1"), ip("2001:db8::1"), ip("0.0.0.0")] {
        assert_eq!(door.knock(elsewhere, &bearer(token), now()), Err(Refusal::NotFromHere), "{elsewhere:?}");
    }
    let proxied = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
    for name in proxied {
        let mut headers = bearer(token);
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("127.0.0.1"));
        assert_eq!(door.knock(ip("127.0.0.1"), &headers, now()), Err(Refusal::NotFromHere), "{name}");
    }
    // Whoever guesses learns nothing from where he is.
    assert_eq!(door.knock(ip("192.168.0.7"), &bearer("x"), now()), Err(Refusal::WrongToken));
}

#[test]
fn a_door_never_shows_its_token() {
    let (door, token) = AdminDoor::with_new_token(&SystemRandom);
    let shown = format!("{door:?} {token:?}");
    assert!(!shown.contains(token.expose_secret()), "{shown}");
    assert_ne!(AdminDoor::with_new_token(&SystemRandom).1.expose_secret(), token.expose_secret());
}

#[test]
fn wrong_tokens_are_slowed_for_a_minute_and_for_nobody_else() {
    let (door, start) = (set(), now());
    for _ in 0..ATTEMPTS {
        assert_eq!(door.knock(ip("192.0.2.1"), &bearer("wrong"), start), Err(Refusal::WrongToken));
    }
    let later = start + Duration::from_secs(20);
    let retry_after = Duration::from_secs(40);
    for token in ["wrong", TOKEN] {
        assert_eq!(door.knock(ip("192.0.2.1"), &bearer(token), later), Err(Refusal::TooMany { retry_after }));
    }
    assert_eq!(door.knock(ip("192.0.2.1"), &HeaderMap::new(), later), Err(Refusal::NoToken), "no guess");
    assert_eq!(door.knock(ip("192.0.2.2"), &bearer(TOKEN), later), Ok(()));
    let afterwards = start + WINDOW;
    assert_eq!(door.knock(ip("192.0.2.1"), &bearer("wrong"), afterwards), Err(Refusal::WrongToken));
    assert_eq!(door.knock(ip("192.0.2.1"), &bearer(TOKEN), afterwards), Ok(()));
}

#[test]
fn a_whole_network_of_ipv6_is_one_peer() {
    let (door, now) = (set(), now());
    for host in 0..ATTEMPTS {
        let _refused = door.knock(ip(&format!("2001:db8::{host:x}")), &bearer("wrong"), now);
    }
    let refused = door.knock(ip("2001:db8::ffff"), &bearer(TOKEN), now);
    assert!(matches!(refused, Err(Refusal::TooMany { .. })), "{refused:?}");
    assert_eq!(door.knock(ip("2001:db8:0:1::1"), &bearer(TOKEN), now), Ok(()));
}

#[test]
fn a_crowd_of_peers_takes_bounded_memory_and_is_slowed_together() {
    let (door, start) = (set(), now());
    let peer = |number: usize| Some(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(number).unwrap())));
    for number in 0..PEERS + 100 {
        let _refused = door.knock(peer(number), &bearer("wrong"), start);
    }
    assert!(door.wrong.lock().unwrap().peers() <= PEERS + 1);
    let refused = door.knock(peer(PEERS * 2), &bearer("wrong"), start);
    assert!(matches!(refused, Err(Refusal::TooMany { .. })), "{refused:?}");
    assert_eq!(door.knock(peer(PEERS * 2), &bearer(TOKEN), start + WINDOW), Ok(()), "forgotten");
}
