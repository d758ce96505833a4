//! Which addresses a webhook may go to: those of the public Internet. Whoever may name a subscriber must not be able to make this
//! service speak to what stands beside it: databases, admin pages, a cloud's metadata.
//!
//! The ranges are those of the IANA special-purpose registries (RFC 6890 and its updates) that are not globally reachable.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

/// Why an address is none to send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[error("a {} address", self.as_str())]
pub enum Forbidden {
    /// This machine.
    Loopback,
    /// A private network (RFC 1918, site-local).
    Private,
    /// Only this link.
    LinkLocal,
    /// A private network (`fc00::/7`).
    UniqueLocal,
    /// Many at once.
    Multicast,
    /// Nobody, which many systems take for this machine.
    Unspecified,
    /// For examples only.
    Documentation,
    /// Behind a carrier's address translation (`100.64.0.0/10`).
    Shared,
    /// Where clouds hand out credentials.
    Metadata,
    /// Set aside for something else.
    Reserved,
}

impl Forbidden {
    /// The word for logs, and for people who read English.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::UniqueLocal => "unique-local",
            Self::Multicast => "multicast",
            Self::Unspecified => "unspecified",
            Self::Documentation => "documentation",
            Self::Shared => "shared",
            Self::Metadata => "metadata",
            Self::Reserved => "reserved",
        }
    }
}

/// Whether a webhook may go to an address.
///
/// # Errors
/// Why not.
pub fn judge(address: IpAddr) -> Result<(), Forbidden> {
    match address {
        IpAddr::V4(address) => judge_v4(address),
        IpAddr::V6(address) => judge_v6(address),
    }
}

fn judge_v4(address: Ipv4Addr) -> Result<(), Forbidden> {
    match address.octets() {
        // AWS and most others; Alibaba; Oracle; Azure, whose address is a public one.
        [169, 254, 169, 254] | [100, 100, 100, 200] | [192, 0, 0, 192] | [168, 63, 129, 16] => Err(Forbidden::Metadata),
        [0, ..] => Err(Forbidden::Unspecified),
        [127, ..] => Err(Forbidden::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Err(Forbidden::Private),
        [169, 254, ..] => Err(Forbidden::LinkLocal),
        [100, 64..=127, ..] => Err(Forbidden::Shared),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Err(Forbidden::Documentation),
        [224..=239, ..] => Err(Forbidden::Multicast),
        // Protocol assignments, the old 6to4 relay, benchmarks, the future and the broadcast.
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] | [240..=255, ..] => Err(Forbidden::Reserved),
        _ => Ok(()),
    }
}

fn judge_v6(address: Ipv6Addr) -> Result<(), Forbidden> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Err(Forbidden::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Err(Forbidden::Loopback),
        // IPv4 in other clothes: mapped, translated (NAT64), 6to4. Whatever carries them on speaks to the inner address.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => judge_v4(inner(high, low)),
        [0x2002, high, low, ..] => judge_v4(inner(high, low)),
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Err(Forbidden::Metadata),
        [0xfc00..=0xfdff, ..] => Err(Forbidden::UniqueLocal),
        [0xfe80..=0xfebf, ..] => Err(Forbidden::LinkLocal),
        [0xfec0..=0xfeff, ..] => Err(Forbidden::Private),
        [0xff00..=0xffff, ..] => Err(Forbidden::Multicast),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Err(Forbidden::Documentation),
        // Protocol assignments, Teredo among them.
        [0x2001, 0..=0x1ff, ..] => Err(Forbidden::Reserved),
        // The only range that is handed out.
        [0x2000..=0x3fff, ..] => Ok(()),
        _ => Err(Forbidden::Reserved),
    }
}

fn inner(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_address_that_is_not_the_internets_is_refused_by_its_name() {
        for (word, addresses) in [
            ("loopback", "127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::"),
            ("private", "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 ::ffff:10.1.2.3 64:ff9b::c0a8:101 fec0::1"),
            ("link-local", "169.254.0.1 fe80::1 febf::1 ::ffff:169.254.1.1"),
            ("unique-local", "fc00::1 fd12:3456::1"),
            ("multicast", "224.0.0.1 239.255.255.255 ff02::1"),
            ("unspecified", "0.0.0.0 0.1.2.3 :: ::ffff:0.0.0.0"),
            ("documentation", "192.0.2.1 198.51.100.7 203.0.113.255 2001:db8::1 3fff:fff::1"),
            ("shared", "100.64.0.1 100.127.255.255 ::ffff:100.64.0.1"),
            ("metadata", "169.254.169.254 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254 64:ff9b::a9fe:a9fe"),
            (
                "reserved",
                "240.0.0.1 255.255.255.255 198.18.0.1 192.0.0.8 2001::1 64:ff9b:1::1 ::127.0.0.1 100::1 4000::1",
            ),
        ] {
            for address in addresses.split(' ') {
                let judged = judge(address.parse().unwrap());
                assert_eq!(judged.map_err(Forbidden::as_str), Err(word), "{address}");
            }
        }
    }

    #[test]
    fn the_internets_addresses_are_allowed_up_to_their_neighbours() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "64:ff9b::101:101",
            "::ffff:1.1.1.1",
            "2002:101:101::1",
        ] {
            assert_eq!(judge(address.parse().unwrap()), Ok(()), "{address}");
        }
    }

    proptest! {
        #[test]
        fn clothes_change_nothing(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let plain = judge(address.into());
            prop_assert_eq!(judge(address.to_ipv6_mapped().into()), plain);
            let [a, b, c, d] = address.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            prop_assert_eq!(judge(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low).into()), plain);
        }

        #[test]
        fn the_standard_library_agrees_on_what_it_knows(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let known = address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast()
                || address.is_broadcast() || address.is_documentation() || address.is_unspecified();
            prop_assert!(!known || judge(address.into()).is_err());
        }
    }
}
