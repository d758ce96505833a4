//! One open stream: it keeps its place among the events and is asked for its next piece when its client has taken the last one, so
//! that a slow client costs one piece of memory, however far it falls behind.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use super::feed::{Feed, Kept};
use super::frame;
use super::slots::Slot;
use crate::domain::cnj::Cnj;
use crate::postgres_tier::messages::PostgresError;
use crate::resilience::Deadline;

/// The pause before PostgreSQL is asked again by a stream that needs it.
const AWAY: Duration = Duration::from_millis(500);

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// Everything up to this number is behind it.
    After(u64),
    /// The same, but whether what follows is still kept has to be seen.
    Unchecked(u64),
    /// It begins with the first event that is learned of: nobody knew yet which one was the last.
    FromNow,
}

/// An open stream; dropping it closes it.
pub struct NewsStream {
    feed: Feed,
    slot: Slot,
    cnj: Option<Cnj>,
    position: Position,
    /// The last number that the client was told.
    told: Option<u64>,
    is_open: bool,
    changes: watch::Receiver<Option<u64>>,
}

/// What comes of one look.
enum Step {
    /// To be sent.
    Send(Bytes),
    /// There may be more at once.
    Again,
    /// Nothing until something changes.
    Wait,
}

impl NewsStream {
    pub(super) fn new(feed: Feed, slot: Slot, position: Position, cnj: Option<Cnj>) -> Self {
        let changes = feed.shared.newest.subscribe();
        Self { feed, slot, cnj, position, told: None, is_open: false, changes }
    }

    /// The next piece to send: the beginning, events, or a sign of life. None once the stream is over.
    pub async fn next(&mut self) -> Option<Bytes> {
        let now = self.feed.shared.clock.monotonic();
        if !self.slot.touch(now) || self.feed.is_closed() {
            return None;
        }
        if !self.is_open {
            self.is_open = true;
            return Some(frame::opening(self.untold()));
        }
        let silence = Deadline::after(now, self.feed.shared.settings.heartbeat);
        let feed = self.feed.clone();
        tokio::select! {
            biased;
            () = feed.closed() => None,
            piece = self.events() => Some(piece),
            () = sleep_until(silence.instant().into()) => Some(frame::heartbeat(self.untold())),
        }
    }

    /// The next events, whenever they come.
    async fn events(&mut self) -> Bytes {
        loop {
            // Before looking, so that a change in between wakes us.
            self.changes.borrow_and_update();
            match self.look().await {
                Ok(Step::Send(piece)) => return piece,
                Ok(Step::Again) => {}
                // The feed is gone with the service only.
                Ok(Step::Wait) => {
                    if self.changes.changed().await.is_err() {
                        sleep(AWAY).await
                    }
                }
                Err(_away) => sleep(AWAY).await,
            }
        }
    }

    async fn look(&mut self) -> Result<Step, PostgresError> {
        let shared = &self.feed.shared;
        let position = match self.position {
            Position::After(position) => position,
            Position::Unchecked(asked) => match shared.kept_after(asked).await? {
                Kept::All => {
                    self.position = Position::After(asked);
                    return Ok(Step::Again);
                }
                Kept::After(resume) => {
                    self.position = Position::After(resume);
                    self.told = Some(resume);
                    return Ok(Step::Send(frame::gap(asked, resume)));
                }
            },
            Position::FromNow => {
                let Some(newest) = shared.ring().newest() else { return Ok(Step::Wait) };
                self.position = Position::After(newest);
                return Ok(Step::Again);
            }
        };
        let piece = shared.after(position, self.cnj.as_ref()).await?;
        self.position = Position::After(piece.upto);
        if piece.frames.is_empty() {
            return Ok(if piece.upto > position { Step::Again } else { Step::Wait });
        }
        shared.metrics.events_sent.inc_by(u64::try_from(piece.frames.len()).unwrap_or(u64::MAX));
        // The client knows the number of the last event of this piece; what was passed over for it is told with a sign of life.
        self.told = None;
        let mut bytes = BytesMut::with_capacity(piece.frames.iter().map(Bytes::len).sum());
        piece.frames.iter().for_each(|frame| bytes.extend_from_slice(frame));
        Ok(Step::Send(bytes.freeze()))
    }

    /// The number to tell, unless the client knows it.
    fn untold(&mut self) -> Option<u64> {
        let Position::After(position) = self.position else { return None };
        (self.told.replace(position) != Some(position)).then_some(position)
    }
}
