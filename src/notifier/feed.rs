//! What all streams of a node read: the newest events, taken from the table once for all of them.
//!
//! The table is looked at when this node has stored something (the bell), and now and then, because other nodes store as well. A stream
//! keeps its own place and reads memory, or the table where memory does not reach; so whatever is missed here is only late, not lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::sleep;

use super::frame;
use super::log::EventLog;
use super::ring::{CHUNK, Found, Ring};
use super::slots::Slots;
use super::stream::{NewsStream, Position};
use crate::ambient::SharedClock;
use crate::config::notifier::NotifierSettings;
use crate::domain::cnj::Cnj;
use crate::postgres_tier::bell::NewsBell;
use crate::postgres_tier::messages::PostgresError;
use crate::telemetry::Metrics;

/// Events that the feed takes from the table in one go: a refreshed process seldom has as many.
const PAGE: usize = 256;

/// The same for a stream that is behind; little more than a chunk, because the rest of a page is read again.
const CATCH_UP_PAGE: usize = 32;

/// Streams that read the table at once: those who catch up after a restart must not take every connection from the lookups.
const MOST_CATCHING_UP: usize = 2;

/// The pause after PostgreSQL did not answer.
const AWAY: Duration = Duration::from_millis(500);

/// A client misses this many heartbeats before its place may be another's.
const STALLED_HEARTBEATS: u32 = 4;

/// As many streams as there may be are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many streams are open")]
pub struct TooManyStreams;

/// One for each service. Clones share it, and it outlives the actor's generations.
#[derive(Clone)]
pub struct Feed {
    pub(super) shared: Arc<Shared>,
}

/// What the feed and its streams share.
pub(super) struct Shared {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) settings: NotifierSettings,
    pub(super) clock: SharedClock,
    pub(super) metrics: Metrics,
    ring: Mutex<Ring>,
    /// The newest number in the ring: every change wakes every stream.
    pub(super) newest: watch::Sender<Option<u64>>,
    somebody_came: Notify,
    slots: Slots,
    catching_up: Semaphore,
    closing: watch::Sender<bool>,
}

/// Where a stream that resumes may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Everything after its number is there.
    All,
    /// Something is missing; it goes on after this number.
    After(u64),
}

/// Some frames, how many events they are, and where the stream stands afterwards.
pub(super) struct Piece {
    pub(super) frames: Vec<bytes::Bytes>,
    pub(super) upto: u64,
}

impl Feed {
    /// Over the stored events.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, settings: NotifierSettings, clock: SharedClock, metrics: Metrics) -> Self {
        let stalled_after = settings.heartbeat.saturating_mul(STALLED_HEARTBEATS);
        let slots = Slots::new(settings.most_streams, stalled_after, metrics.event_streams.clone());
        let shared = Shared {
            log,
            settings,
            clock,
            metrics,
            ring: Mutex::default(),
            newest: watch::Sender::new(None),
            somebody_came: Notify::new(),
            slots,
            catching_up: Semaphore::new(MOST_CATCHING_UP),
            closing: watch::Sender::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Opens a stream of all processes or of one: after the event of a number, or from now on.
    ///
    /// # Errors
    /// [`TooManyStreams`].
    pub async fn listen(&self, after: Option<u64>, cnj: Option<Cnj>) -> Result<NewsStream, TooManyStreams> {
        let slot = self.shared.slots.take(self.shared.clock.monotonic()).ok_or(TooManyStreams)?;
        let position = match after {
            Some(after) => Position::Unchecked(after),
            // What is known here may be some seconds old; only with the database away is it as good.
            None => match self.shared.log.newest().await {
                Ok(newest) => Position::After(newest),
                Err(_away) => self.shared.ring().newest().map_or(Position::FromNow, Position::After),
            },
        };
        self.shared.somebody_came.notify_one();
        Ok(NewsStream::new(self.clone(), slot, position, cnj))
    }

    /// Keeps the feed up to date, for ever.
    pub(super) async fn run(&self, bell: &NewsBell) {
        let mut rings = bell.listen();
        loop {
            let shared = &self.shared;
            let pause = match shared.look().await {
                Ok(true) => continue,
                Ok(false) if shared.slots.is_empty() => shared.settings.look_idle,
                Ok(false) => shared.settings.look_every,
                Err(_away) => AWAY,
            };
            tokio::select! {
                rung = rings.changed() => if rung.is_err() { sleep(pause).await },
                () = shared.somebody_came.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Ends every stream: the service stops.
    pub fn close(&self) {
        self.shared.closing.send_replace(true);
    }

    /// Whether the service stops.
    pub(super) fn is_closed(&self) -> bool {
        *self.shared.closing.borrow()
    }

    /// Resolves once the service stops.
    pub(super) async fn closed(&self) {
        // An error would mean that the sender is gone, but `self` holds it.
        let _closes = self.shared.closing.subscribe().wait_for(|closing| *closing).await.is_ok();
    }
}

impl Shared {
    pub(super) fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is new from the table, a page at the most; true if there is more.
    async fn look(&self) -> Result<bool, PostgresError> {
        let known = self.ring().newest();
        let has_more = match known.filter(|_| !self.slots.is_empty()) {
            Some(known) => {
                let page = self.log.read(known, None, PAGE).await?;
                self.ring().extend(&page, self.settings.ring_events, self.settings.ring_bytes);
                page.len() >= PAGE
            }
            // Nobody listens: where it stands is enough.
            None => {
                let newest = self.log.newest().await?;
                if known != Some(newest) {
                    self.ring().restart(newest);
                }
                false
            }
        };
        let newest = self.ring().newest();
        self.newest.send_if_modified(|shown| std::mem::replace(shown, newest) != newest);
        Ok(has_more)
    }

    /// What follows a number, from memory or from the table.
    pub(super) async fn after(&self, position: u64, cnj: Option<&Cnj>) -> Result<Piece, PostgresError> {
        let (found, known) = {
            let ring = self.ring();
            (ring.after(position, cnj), ring.newest().unwrap_or(position))
        };
        if let Found::Here { frames, upto } = found {
            return Ok(Piece { frames, upto });
        }
        let page = {
            let _turn = self.catching_up.acquire().await;
            self.log.read(position, cnj.copied(), CATCH_UP_PAGE).await?
        };
        let (mut frames, mut bytes, mut upto) = (Vec::new(), 0_usize, position);
        for event in &page {
            upto = event.id;
            if event.sealed {
                continue;
            }
            let frame = frame::event(event);
            bytes = bytes.saturating_add(frame.len());
            frames.push(frame);
            if bytes > CHUNK {
                return Ok(Piece { frames, upto });
            }
        }
        // What was known before the table was read is in it: if nothing follows, there is nothing up to there. (A short page proves
        // less: a row that cannot be read is left out of it.)
        let upto = if page.is_empty() { upto.max(known) } else { upto };
        Ok(Piece { frames, upto })
    }

    /// Whether everything after a number is still kept.
    pub(super) async fn kept_after(&self, asked: u64) -> Result<Kept, PostgresError> {
        let newest = self.log.newest().await?;
        if asked > newest {
            // Of another database, or of this one before it was restored: its numbers will come again.
            return Ok(Kept::After(newest));
        }
        if asked == 0 {
            // All that is kept, whatever there was before.
            return Ok(Kept::All);
        }
        let oldest = self.log.read(0, None, 1).await?;
        let before_oldest = oldest.first().map_or(newest, |oldest| oldest.id.saturating_sub(1));
        Ok(if asked < before_oldest { Kept::After(before_oldest) } else { Kept::All })
    }
}
