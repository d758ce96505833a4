//! The mailbox of a shard: whoever asks joins the process's flight, or opens one.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Handler, Response};
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::timeout_at;

use super::actor::Coordinator;
use super::messages::{Board, Demand, Lookup, LookupError, Reach, Served};
use super::plan::Want;
use super::reader::{Decision, Progress, RECOVERY_RETRY, Reader, decide};
use super::shard::{OpenFlight, Shard};
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::resilience::{Allowance, Deadline};
use crate::supervision::spawn::detach_to_finish;

/// When a crowd is turned away, it is told to come back after the flight they crowd around has probably landed.
const CROWDED_RETRY: Duration = Duration::from_secs(2);

impl Handler<Board> for Coordinator {
    type Result = Response<Result<Served, LookupError>>;

    fn handle(&mut self, board: Board, _: &mut Self::Context) -> Self::Result {
        let Lookup { cnj, demand, caller, deadline, allowance } = board.lookup;
        let (now, wall) = (self.shard.clock.monotonic(), self.shard.clock.now());
        // Looked at once more: the flight that this reader missed may have landed while the message was under way.
        if let Some(answer) = self.shard.near.answer(&cnj, &demand, now, wall) {
            return Response::reply(answer);
        }
        match self.board(cnj, demand, Passenger { caller, allowance, now, wall }) {
            Ok(seat) => Response::fut(seat.wait(deadline, board.present)),
            Err(error) => Response::reply(Err(error)),
        }
    }
}

/// On whose behalf a flight is boarded, and when.
struct Passenger {
    caller: Caller,
    allowance: Option<Allowance>,
    now: Instant,
    wall: DateTime<Utc>,
}

impl Coordinator {
    /// Joins the flight for a process, or opens one.
    fn board(&self, cnj: Cnj, demand: Demand, passenger: Passenger) -> Result<Seat, LookupError> {
        let Passenger { caller, allowance, now, wall } = passenger;
        let want = Want::of(&demand, wall);
        let shard = Rc::clone(&self.shard);
        let running = shard.flights.borrow().get(&cnj).cloned();
        let collapsed = running.is_some();
        let open = match running {
            Some(open) if open.readers.get() >= shard.settings.max_readers => {
                return Err(LookupError::Overloaded { retry_after: CROWDED_RETRY });
            }
            Some(open) => {
                let mut flight = open.flight.borrow_mut();
                flight.want = flight.want.and(want.of_flight());
                let is_content =
                    flight.in_hand().is_some_and(|hand| hand.believed && want.satisfied_by(&hand.held.entry, wall));
                drop(flight);
                if let (Some(bound), None) = (&open.allowance, &allowance)
                    && want.reach != Reach::Held
                    && !is_content
                {
                    // It needs the flight's end as well, and no bound of somebody else's work may keep it from that.
                    bound.lift();
                }
                if caller != Caller::Service {
                    // Somebody waits now: what was nobody's hurry becomes theirs.
                    open.caller.set(caller);
                }
                open
            }
            None => {
                let open = Rc::new(OpenFlight::new(cnj, want.of_flight(), caller, allowance));
                shard.flights.borrow_mut().insert(cnj, Rc::clone(&open));
                shard.disturb(&cnj);
                let (shard, flying) = (Rc::clone(&shard), Rc::clone(&open));
                let near = shard.near.held(&cnj);
                detach_to_finish("flight", async move { shard.fly(cnj, flying, near).await });
                open
            }
        };
        let payer = want.reach != Reach::Held && !open.has_payer.replace(true);
        let reader = Reader { demand, since: now, payer, collapsed };
        Ok(Seat { progress: open.progress.subscribe(), place: Place::take(&open), shard, reader })
    }
}

/// A reader's place in a flight.
struct Seat {
    shard: Rc<Shard>,
    progress: watch::Receiver<Progress>,
    place: Place,
    reader: Reader,
}

/// Counts a reader for as long as it waits.
struct Place(Rc<OpenFlight>);

impl Place {
    fn take(open: &Rc<OpenFlight>) -> Self {
        bump(&open.readers, 1);
        Self(Rc::clone(open))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        bump(&self.0.readers, -1);
    }
}

fn bump(count: &Cell<usize>, by: isize) {
    count.set(count.get().saturating_add_signed(by));
}

impl Seat {
    async fn wait(mut self, deadline: Deadline, mut present: watch::Receiver<()>) -> Result<Served, LookupError> {
        let patience = self.shard.settings.patience;
        loop {
            let clock = &self.shard.clock;
            let now = (clock.monotonic(), clock.now());
            let decision = decide(&self.reader, &self.progress.borrow_and_update(), patience, now);
            let until = match decision {
                Decision::Answer(answer) => return *answer,
                Decision::Wait(_) if deadline.is_over(now.0) => break,
                Decision::Wait(until) => until.map_or(deadline.instant(), |until| until.min(deadline.instant())),
            };
            // Elapsed or changed, there is something to decide anew. It cannot be closed: this reader's place holds the flight.
            tokio::select! {
                _news = timeout_at(until.into(), self.progress.changed()) => {}
                // Nobody hears the answer any more; the place is free for somebody else.
                _gone = present.changed() => break,
            }
        }
        drop(self.place);
        Err(LookupError::Recovering { retry_after: RECOVERY_RETRY })
    }
}
