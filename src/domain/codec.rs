//! The envelope in which a copy travels: the same bytes in Redis, in PostgreSQL and in the journal.
//!
//! ```text
//! offset size
//!  0     4    magic "JUSC"
//!  4     1    format version (1)
//!  5     1    kind: 1 process, 2 absence
//!  6     1    codec: 1 zstd
//!  7     1    bit 0: sealed; bits 4..7: provider (0 escavador, 1 datajud)
//!  8     8    verified_at, microseconds since 1970, big endian, biased by 2^63; 0 = unknown
//! 16     8    fetched_at, the same
//! 24     8    fresh_until, the same
//! 32     4    revision of the rendering in the head
//! 36     4    head, compressed length        40     4    head, length
//! 44     4    snapshot, compressed length    48     4    snapshot, length
//! 52     4    reserved, 0
//! 56     8    XXH3-64 of everything else
//! 64          head (the default answer up to its freshness, JSON), then the snapshot (JSON), each a zstd frame
//! ```
//! Bytes 8..24 compare as text in version order, which is how Redis decides which of two envelopes is newer.
//! Envelopes once written must decode for ever: bytes of every format live in `fixtures`.

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

use super::snapshot::{Provider, Snapshot};
use super::version::Version;

const MAGIC: &[u8; 4] = b"JUSC";
const FORMAT: u8 = 1;
const ZSTD: u8 = 1;
const HEADER: usize = 64;
const CHECKSUM_AT: usize = 56;
const COMPRESSION_LEVEL: i32 = 3;

/// The most that one part of an envelope may hold once decompressed, in bytes: far above the largest process known, far
/// below what would hurt.
pub const MAX_PART: usize = 64 * 1024 * 1024;

/// Why bytes are not an envelope, or not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CodecError {
    /// Not written by juscache, or cut off.
    #[error("not an envelope")]
    NotAnEnvelope,
    /// Written by a newer juscache.
    #[error("envelope format {0} is unknown to this version")]
    UnknownFormat(u8),
    /// At least one bit differs from what was written.
    #[error("checksum differs")]
    Corrupt,
    /// The content is larger than [`MAX_PART`].
    #[error("content exceeds the size cap")]
    TooLarge,
    /// The content does not decode although its checksum is right.
    #[error("content does not decode")]
    Undecodable,
}

impl CodecError {
    /// The word for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAnEnvelope => "not-an-envelope",
            Self::UnknownFormat(_) => "unknown-format",
            Self::Corrupt => "corrupt",
            Self::TooLarge => "too-large",
            Self::Undecodable => "undecodable",
        }
    }
}

/// What an envelope is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A process.
    Process,
    /// The vendor's word that there is no such process.
    Absence,
}

/// What can be read without decompressing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it is about.
    pub kind: Kind,
    /// Who supplied it.
    pub provider: Provider,
    /// Under secrecy of justice.
    pub sealed: bool,
    /// Its two clocks.
    pub version: Version,
    /// Until when it counts as fresh.
    pub fresh_until: DateTime<Utc>,
    /// Revision of the code that rendered the head.
    pub revision: u32,
}

/// An envelope whose checksum was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Its header.
    pub header: Header,
    bytes: Bytes,
    head_packed: usize,
    head_len: usize,
    snapshot_len: usize,
}

impl Envelope {
    /// Packs a process. `head` is its default answer up to the freshness fields.
    ///
    /// # Errors
    /// [`CodecError::TooLarge`] when a part exceeds [`MAX_PART`].
    pub fn process(header: Header, head: &[u8], snapshot: &Snapshot) -> Result<Self, CodecError> {
        let json = serde_json::to_vec(snapshot).map_err(|_| CodecError::Undecodable)?;
        Self::pack(header, head, &json)
    }

    /// Packs an absence.
    ///
    /// # Errors
    /// None in practice; the signature is that of [`Envelope::process`].
    pub fn absence(header: Header) -> Result<Self, CodecError> {
        Self::pack(header, &[], &[])
    }

    fn pack(header: Header, head: &[u8], snapshot: &[u8]) -> Result<Self, CodecError> {
        let packed_head = compress(head)?;
        let packed_snapshot = compress(snapshot)?;
        let mut bytes = BytesMut::with_capacity(HEADER + packed_head.len() + packed_snapshot.len());
        bytes.put_slice(MAGIC);
        bytes.put_u8(FORMAT);
        bytes.put_u8(match header.kind {
            Kind::Process => 1,
            Kind::Absence => 2,
        });
        bytes.put_u8(ZSTD);
        let provider = match header.provider {
            Provider::Escavador => 0,
            Provider::Datajud => 1,
        };
        bytes.put_u8(u8::from(header.sealed) | provider << 4);
        bytes.put_u64(header.version.verified_at.map_or(0, sortable));
        bytes.put_u64(sortable(header.version.fetched_at));
        bytes.put_u64(sortable(header.fresh_until));
        bytes.put_u32(header.revision);
        for length in [packed_head.len(), head.len(), packed_snapshot.len(), snapshot.len()] {
            bytes.put_u32(u32::try_from(length).map_err(|_| CodecError::TooLarge)?);
        }
        bytes.put_u32(0);
        bytes.put_u64(0);
        bytes.put_slice(&packed_head);
        bytes.put_slice(&packed_snapshot);
        seal(&mut bytes);
        Ok(Self {
            header,
            head_packed: packed_head.len(),
            head_len: head.len(),
            snapshot_len: snapshot.len(),
            bytes: bytes.freeze(),
        })
    }

    /// Opens bytes that came back from a tier.
    ///
    /// # Errors
    /// Says which way they are not what was written.
    pub fn open(bytes: Bytes) -> Result<Self, CodecError> {
        let header = bytes.get(..HEADER).ok_or(CodecError::NotAnEnvelope)?;
        if header.get(..4) != Some(MAGIC.as_slice()) {
            return Err(CodecError::NotAnEnvelope);
        }
        if checksum(&bytes) != Some(u64_at(header, CHECKSUM_AT)?) {
            return Err(CodecError::Corrupt);
        }
        let byte = |at: usize| header.get(at).copied().ok_or(CodecError::NotAnEnvelope);
        if byte(4)? != FORMAT {
            return Err(CodecError::UnknownFormat(byte(4)?));
        }
        if byte(6)? != ZSTD {
            return Err(CodecError::Undecodable);
        }
        let kind = match byte(5)? {
            1 => Kind::Process,
            2 => Kind::Absence,
            _ => return Err(CodecError::Undecodable),
        };
        let provider = match byte(7)? >> 4 {
            0 => Provider::Escavador,
            1 => Provider::Datajud,
            _ => return Err(CodecError::Undecodable),
        };
        let verified_at = match u64_at(header, 8)? {
            0 => None,
            micros => Some(instant(micros)?),
        };
        let [head_packed, head_len, snapshot_packed, snapshot_len] =
            [u32_at(header, 36)?, u32_at(header, 40)?, u32_at(header, 44)?, u32_at(header, 48)?];
        if bytes.len() != HEADER + head_packed + snapshot_packed {
            return Err(CodecError::NotAnEnvelope);
        }
        if head_len.max(snapshot_len) > MAX_PART {
            return Err(CodecError::TooLarge);
        }
        let revision = u32::try_from(u32_at(header, 32)?).map_err(|_| CodecError::Undecodable)?;
        let header = Header {
            kind,
            provider,
            sealed: byte(7)? & 1 == 1,
            version: Version { verified_at, fetched_at: instant(u64_at(header, 16)?)? },
            fresh_until: instant(u64_at(header, 24)?)?,
            revision,
        };
        Ok(Self { header, head_packed, head_len, snapshot_len, bytes })
    }

    /// The bytes as every tier keeps them.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same copy with another freshness: only the header is written again.
    #[must_use]
    pub fn with_fresh_until(&self, fresh_until: DateTime<Utc>) -> Self {
        self.stamped(self.header.version, fresh_until)
    }

    /// The same content as of another moment: the vendor said that it is still what it would sell. Only the header is written again.
    #[must_use]
    pub fn stamped(&self, version: Version, fresh_until: DateTime<Utc>) -> Self {
        let mut bytes = BytesMut::from(self.bytes.as_ref());
        let clocks = [version.verified_at.map_or(0, sortable), sortable(version.fetched_at), sortable(fresh_until)];
        for (at, clock) in [8, 16, 24].into_iter().zip(clocks) {
            if let Some(field) = bytes.get_mut(at..at + 8) {
                field.copy_from_slice(&clock.to_be_bytes());
            }
        }
        seal(&mut bytes);
        Self { header: Header { version, fresh_until, ..self.header }, bytes: bytes.freeze(), ..*self }
    }

    /// The default answer up to its freshness fields.
    ///
    /// # Errors
    /// [`CodecError::Undecodable`] when the frame is not zstd after all.
    pub fn head(&self) -> Result<Bytes, CodecError> {
        let frame = self.bytes.get(HEADER..HEADER + self.head_packed).ok_or(CodecError::NotAnEnvelope)?;
        Ok(Bytes::from(decompress(frame, self.head_len)?))
    }

    /// The whole process.
    ///
    /// # Errors
    /// [`CodecError::Undecodable`] when it is an absence or its JSON is not a snapshot.
    pub fn snapshot(&self) -> Result<Snapshot, CodecError> {
        let frame = self.bytes.get(HEADER + self.head_packed..).ok_or(CodecError::NotAnEnvelope)?;
        let json = decompress(frame, self.snapshot_len)?;
        let snapshot: Snapshot = serde_json::from_slice(&json).map_err(|_| CodecError::Undecodable)?;
        // The header's clocks are the ones that are stamped anew.
        Ok(Snapshot { version: self.header.version, ..snapshot })
    }

    /// What keeping this copy in memory costs, in bytes, once its parts are unpacked.
    #[must_use]
    pub fn unpacked_len(&self) -> usize {
        self.bytes.len() + self.head_len + self.snapshot_len
    }
}

thread_local! {
    // One context a thread: allocating it costs more than decompressing a page.
    static DECOMPRESSOR: std::cell::RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { std::cell::RefCell::new(None) };
}

fn compress(part: &[u8]) -> Result<Vec<u8>, CodecError> {
    if part.len() > MAX_PART {
        return Err(CodecError::TooLarge);
    }
    zstd::bulk::compress(part, COMPRESSION_LEVEL).map_err(|_| CodecError::TooLarge)
}

fn decompress(frame: &[u8], length: usize) -> Result<Vec<u8>, CodecError> {
    if length > MAX_PART {
        return Err(CodecError::TooLarge);
    }
    let unpacked = DECOMPRESSOR.with_borrow_mut(|slot| {
        let context = match slot {
            Some(context) => context,
            None => slot.insert(zstd::bulk::Decompressor::new().map_err(|_| CodecError::Undecodable)?),
        };
        context.decompress(frame, length).map_err(|_| CodecError::Undecodable)
    })?;
    if unpacked.len() == length { Ok(unpacked) } else { Err(CodecError::Undecodable) }
}

fn seal(bytes: &mut BytesMut) {
    if let Some(sum) = checksum(bytes)
        && let Some(field) = bytes.get_mut(CHECKSUM_AT..HEADER)
    {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

fn checksum(bytes: &[u8]) -> Option<u64> {
    let mut hash = Xxh3::new();
    hash.update(bytes.get(..CHECKSUM_AT)?);
    hash.update(bytes.get(HEADER..)?);
    Some(hash.digest())
}

/// Microseconds, biased so that big-endian bytes sort as times do.
fn sortable(at: DateTime<Utc>) -> u64 {
    at.timestamp_micros().cast_unsigned() ^ (1 << 63)
}

fn instant(sortable: u64) -> Result<DateTime<Utc>, CodecError> {
    DateTime::from_timestamp_micros((sortable ^ (1 << 63)).cast_signed()).ok_or(CodecError::Undecodable)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, CodecError> {
    let field = bytes.get(at..at + 8).and_then(|field| field.try_into().ok()).ok_or(CodecError::NotAnEnvelope)?;
    Ok(u64::from_be_bytes(field))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<usize, CodecError> {
    let field = bytes.get(at..at + 4).and_then(|field| field.try_into().ok()).ok_or(CodecError::NotAnEnvelope)?;
    usize::try_from(u32::from_be_bytes(field)).map_err(|_| CodecError::NotAnEnvelope)
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
