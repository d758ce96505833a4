use proptest::prelude::*;

use super::*;
use crate::domain::entry::Entry;
use crate::domain::sample::{instant, process};

fn envelope() -> Envelope {
    Entry::new(process(30, 5), instant(86_400)).unwrap().envelope().clone()
}

#[test]
fn what_is_packed_comes_back() {
    let packed = envelope();
    let opened = Envelope::open(packed.bytes().clone()).unwrap();
    assert_eq!(opened, packed);
    assert_eq!(opened.snapshot().unwrap(), process(30, 5));
    assert!(opened.head().unwrap().starts_with(b"{\"cnj\":\"0000001-39.2024.8.26.0100\""));
    assert!(opened.bytes().len() * 3 < opened.unpacked_len(), "compression is worth its time");
}

#[test]
fn a_new_freshness_changes_only_the_header() {
    let renewed = envelope().with_fresh_until(instant(99));
    let opened = Envelope::open(renewed.bytes().clone()).unwrap();
    assert_eq!(opened.header.fresh_until, instant(99));
    assert_eq!(opened.snapshot(), envelope().snapshot());
}

#[test]
fn versions_compare_as_bytes_like_they_compare_as_times() {
    let bytes = |version: Version| {
        let header = Header { version, ..envelope().header };
        Envelope::absence(Header { kind: Kind::Absence, ..header }).unwrap().bytes().slice(8..24)
    };
    let ordered = [
        Version::new(None, instant(9)),
        Version::new(Some(DateTime::UNIX_EPOCH), instant(1)),
        Version::new(Some(instant(1)), instant(3)),
        Version::new(Some(instant(2)), instant(2)),
        Version::new(Some(instant(2)), instant(3)),
    ];
    for pair in ordered.windows(2) {
        assert!(pair[0] < pair[1] && bytes(pair[0]) < bytes(pair[1]), "{pair:?}");
    }
}

#[test]
fn a_newer_format_is_named_and_not_guessed_at() {
    let mut bytes = BytesMut::from(envelope().bytes().as_ref());
    bytes[4] = 2;
    seal(&mut bytes);
    assert_eq!(Envelope::open(bytes.freeze()), Err(CodecError::UnknownFormat(2)));
}

#[test]
fn a_length_that_promises_too_much_is_refused_before_anything_is_unpacked() {
    let mut bytes = BytesMut::from(envelope().bytes().as_ref());
    bytes[48..52].copy_from_slice(&u32::MAX.to_be_bytes());
    seal(&mut bytes);
    assert_eq!(Envelope::open(bytes.freeze()), Err(CodecError::TooLarge));
}

proptest! {
    #[test]
    fn any_flipped_bit_is_noticed(bit in any::<prop::sample::Index>()) {
        let mut bytes = envelope().bytes().to_vec();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Envelope::open(bytes.into()).is_err());
    }

    #[test]
    fn any_cut_is_noticed(length in any::<prop::sample::Index>()) {
        let whole = envelope();
        let length = length.index(whole.bytes().len());
        prop_assert!(Envelope::open(whole.bytes().slice(..length)).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Envelope::open(bytes.into()).is_err());
    }

    #[test]
    fn any_process_survives_the_round_trip(count in 0u32..80, fetched in 0i64..1_000_000) {
        let entry = Entry::new(process(count, fetched), instant(fetched + 60)).unwrap();
        let opened = Entry::open(Envelope::open(entry.envelope().bytes().clone()).unwrap()).unwrap();
        prop_assert_eq!(opened.etag(), entry.etag());
        prop_assert_eq!(&*opened.snapshot().unwrap(), &process(count, fetched));
    }
}

/// Bytes that lie in somebody's Redis or database from before an upgrade. Every format's stay here.
#[test]
fn envelopes_once_written_decode_for_ever() {
    let first_format = Bytes::from_static(include_bytes!("fixtures/envelope-1.bin"));
    let envelope = Envelope::open(first_format).unwrap();
    assert_eq!(envelope.header.version, process(30, 5).version);
    assert_eq!(envelope.header.fresh_until, instant(86_400));
    assert_eq!(envelope.snapshot().unwrap(), process(30, 5));
    assert!(Entry::open(envelope).is_ok());
}

/// A copy that the vendor confirmed is newer than the one that was fetched, in its header and in what is decoded from it.
#[test]
fn a_confirmed_copy_keeps_its_content_and_gets_new_clocks() {
    let envelope = envelope();
    let version = Version::new(Some(instant(5)), instant(9));
    let stamped = envelope.stamped(version, instant(20));
    let opened = Envelope::open(stamped.bytes().clone()).unwrap();
    assert_eq!((opened.header.version, opened.header.fresh_until), (version, instant(20)));
    assert_eq!(opened.head().unwrap(), envelope.head().unwrap());
    let (new, old) = (opened.snapshot().unwrap(), envelope.snapshot().unwrap());
    assert_eq!(new.version, version);
    assert_eq!(new.movements, old.movements);
}
