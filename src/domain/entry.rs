//! A copy of a process, ready to answer: its envelope, the head of its default answer, and everything else on demand.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use xxhash_rust::xxh3::xxh3_64;

use super::codec::{CodecError, Envelope, Header, Kind};
use super::coding::Coding;
use super::render;
use super::served::{Freshness, ServedFrom};
use super::snapshot::Snapshot;
use super::view::View;

/// One copy. Cheap to share; decoding the whole process waits until somebody asks for more than the default answer.
#[derive(Debug)]
pub struct Entry {
    envelope: Envelope,
    head: Bytes,
    etag: String,
    snapshot: OnceLock<Arc<Snapshot>>,
    fresh_bodies: FreshBodies,
    coded_near_bodies: [OnceLock<Option<Bytes>>; Coding::ALL.len()],
}

/// Fresh bodies, put together once for all readers of this copy: those of a near copy, or those of one flight.
#[derive(Debug, Default)]
struct FreshBodies {
    memory: OnceLock<Bytes>,
    redis: OnceLock<Bytes>,
    database: OnceLock<Bytes>,
    api: OnceLock<Bytes>,
}

impl FreshBodies {
    fn slot(&self, from: ServedFrom) -> Option<&OnceLock<Bytes>> {
        match from {
            ServedFrom::Memory => Some(&self.memory),
            ServedFrom::Redis => Some(&self.redis),
            ServedFrom::Database => Some(&self.database),
            ServedFrom::Api => Some(&self.api),
            ServedFrom::DatabaseFallback => None,
        }
    }
}

impl Entry {
    /// Makes a copy of a process that was just fetched.
    ///
    /// # Errors
    /// [`CodecError::TooLarge`] beyond the codec's cap.
    pub fn new(snapshot: Snapshot, fresh_until: DateTime<Utc>) -> Result<Self, CodecError> {
        let head = render::detailed_head(&snapshot, &View::default());
        let header = Header {
            kind: Kind::Process,
            provider: snapshot.provider,
            sealed: snapshot.cover.sealed,
            version: snapshot.version,
            fresh_until,
            revision: render::REVISION,
        };
        let envelope = Envelope::process(header, &head, &snapshot)?;
        Ok(Self::assemble(envelope, head, OnceLock::from(Arc::new(snapshot))))
    }

    /// Makes a copy of an envelope that a tier held. A head of another revision is rendered anew.
    ///
    /// # Errors
    /// When the envelope does not hold a process that decodes.
    pub fn open(envelope: Envelope) -> Result<Self, CodecError> {
        if envelope.header.kind != Kind::Process {
            return Err(CodecError::Undecodable);
        }
        if envelope.header.revision != render::REVISION {
            return Self::new(envelope.snapshot()?, envelope.header.fresh_until);
        }
        let head = envelope.head()?;
        Ok(Self::assemble(envelope, head, OnceLock::new()))
    }

    fn assemble(envelope: Envelope, head: Bytes, snapshot: OnceLock<Arc<Snapshot>>) -> Self {
        let etag = weak_etag(&head);
        Self {
            envelope,
            head,
            etag,
            snapshot,
            fresh_bodies: FreshBodies::default(),
            coded_near_bodies: Default::default(),
        }
    }

    /// Clocks, provider, secrecy.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.envelope.header
    }

    /// The bytes as tiers keep them.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The weak validator of the default detailed answer: names its content, whichever tier serves it and however old it is.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// The whole process, decoded at most once.
    ///
    /// # Errors
    /// When the envelope's content does not decode although its checksum is right.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>, CodecError> {
        if let Some(snapshot) = self.snapshot.get() {
            return Ok(Arc::clone(snapshot));
        }
        let decoded = Arc::new(self.envelope.snapshot()?);
        Ok(Arc::clone(self.snapshot.get_or_init(|| decoded)))
    }

    /// The default detailed body. A fresh one is put together once and then shared.
    #[must_use]
    pub fn body(&self, from: ServedFrom, freshness: Freshness) -> Bytes {
        let render = || render::body(&self.head, self.header(), from, freshness);
        match self.fresh_bodies.slot(from) {
            Some(slot) if freshness == Freshness::Fresh => slot.get_or_init(render).clone(),
            _ => render(),
        }
    }

    /// The default detailed body of a fresh near hit in a content coding, put together once and then shared.
    #[must_use]
    pub fn coded_near_body(&self, coding: Coding) -> Option<Bytes> {
        let slot = Coding::ALL.iter().position(|one| *one == coding).and_then(|at| self.coded_near_bodies.get(at))?;
        slot.get_or_init(|| coding.encode(&self.body(ServedFrom::Memory, Freshness::Fresh)).ok()).clone()
    }

    /// What keeping it in memory costs at the most, in bytes: everything unpacked, two shared bodies (that of the flight
    /// which brought it, and the near one), and the near one in every coding, which together are smaller than the body.
    #[must_use]
    pub fn weight(&self) -> u64 {
        let bytes = self.envelope.unpacked_len() + 3 * self.head.len() + self.etag.len();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// The weak validator of any head.
#[must_use]
pub fn weak_etag(head: &[u8]) -> String {
    format!("W/\"{:016x}\"", xxh3_64(head))
}
