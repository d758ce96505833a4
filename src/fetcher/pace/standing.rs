//! What one node may do now, and whether it must ask Redis first: pure, time passed in.
//!
//! * **Alone** (no Redis configured): the whole limit, with its burst.
//! * **Shared**: a slot is Redis' to give.
//! * **Local** (Redis is away): the node's share of the limit, evenly spread. It begins one interval after the switch, and where there
//!   are other nodes not before Redis, if it is away for this node alone, has noticed and keeps the share free.
//! * **Returning**: Redis is back, but other nodes may not have noticed: a request needs both the share and Redis' slot, for a grace.
//!
//! In all of them the node alone never exceeds the whole limit, by its own clock, whatever it is told.

use std::time::Duration;

use super::rate::{Rate, micros};
use crate::domain::caller::Lane;
use crate::ledger::call::Id;
use crate::redis_tier::slots::{Slot, TakeSlot};
use crate::resilience::gcra::{Gcra, Micros};

/// By what the pace is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// This node alone, and the whole limit is its own.
    Alone,
    /// Redis, for all nodes together.
    Shared,
    /// This node's share of the limit: Redis is away.
    Local,
}

impl Mode {
    /// The word for readiness, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Shared => "shared",
            Self::Local => "local",
        }
    }
}

/// How long things take, as parts of the vendor's window; the figures in brackets are for a minute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// Between two signs of life to Redis (1 s).
    pub(super) beat: Duration,
    /// The same while Redis is away, when asking costs nothing (250 ms).
    pub(super) beat_away: Duration,
    /// From when on Redis keeps a silent node's share free (3 s): three beats. A node that was counted for this long is known to all.
    silent_after: Micros,
    /// Until when (10 min).
    forget_after: Micros,
    /// How long a node that lost Redis waits before its share is free (4 s): until Redis counts it as silent, and a beat more.
    hold: Micros,
    /// How long a node that found Redis again keeps to its share (15 s): longer than the others need to find it.
    grace: Micros,
}

impl Timing {
    pub(super) fn of(window: Duration) -> Self {
        let beat = window / 60;
        Self {
            beat,
            beat_away: beat / 4,
            silent_after: micros(beat * 3),
            forget_after: micros(window * 10),
            hold: micros(beat * 4),
            grace: micros(window / 4),
        }
    }
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing more: [`Standing::sent`], and off it goes.
    Go,
    /// A slot of Redis as well.
    Ask,
}

/// This node among the others.
#[derive(Debug, Clone, Copy)]
struct Membership {
    nodes: u32,
    since: Micros,
}

/// A request for which Redis is being asked. It counts as sent until the answer is here, and for no longer than an answer can take: the
/// thread that asks may be stuck, and given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    number: u64,
    until: Micros,
}

/// How long an answer can take; see `ASK_WITHIN` in `pace`.
const ASKED_FOR: Duration = Duration::from_secs(1);

/// An answer of Redis is waited for in such steps by the other lane, if it cannot do without (10 ms).
const ANSWER: Micros = 10_000;

/// A node's own share, being used.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// Since when.
    since: Micros,
    /// `None`: too small for a single request.
    interval: Option<Micros>,
    pace: Gcra,
    used: bool,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Alone,
    Shared,
    Local(Share),
    Returning { share: Share, until: Micros },
}

/// See the module.
#[derive(Debug)]
pub(super) struct Standing {
    rate: Rate,
    timing: Timing,
    /// What this node did in all, against the whole limit.
    own: Gcra,
    phase: Phase,
    member: Option<Membership>,
    leaving: bool,
    /// When the next request of the whole fleet is due, as far as is known, by this node's clock.
    fleet_due: Option<Micros>,
    /// When the last question that was answered was asked.
    last_heard: Option<Micros>,
    asked: Vec<Asked>,
    numbers: u64,
}

impl Standing {
    /// Of a node that is alone, or of one that has not asked Redis yet.
    pub(super) fn new(rate: Rate, alone: bool) -> Self {
        Self {
            rate,
            timing: Timing::of(rate.window()),
            own: Gcra::rested(),
            phase: if alone { Phase::Alone } else { Phase::Shared },
            member: None,
            leaving: false,
            fleet_due: None,
            last_heard: None,
            asked: Vec::new(),
            numbers: 0,
        }
    }

    pub(super) fn mode(&self) -> Mode {
        match self.phase {
            Phase::Alone => Mode::Alone,
            Phase::Shared | Phase::Returning { .. } => Mode::Shared,
            Phase::Local(_) => Mode::Local,
        }
    }

    /// Nodes known, this one included; zero while none was ever heard of.
    pub(super) fn nodes(&self) -> u32 {
        match self.phase {
            Phase::Alone => 1,
            _ => self.member.map_or(0, |member| member.nodes),
        }
    }

    /// What a request of this lane needs now.
    ///
    /// # Errors
    /// How long until it makes sense to ask again.
    pub(super) fn next(&mut self, now: Micros, lane: Lane) -> Result<Next, Micros> {
        self.asked.retain(|asked| asked.until > now);
        self.admitted(self.own, self.rate.interval(), now, self.rate.tolerance(lane))?;
        match self.phase {
            Phase::Alone => Ok(Next::Go),
            Phase::Shared => Ok(Next::Ask),
            Phase::Local(share) => self.of_share(share, now, lane).map(|()| Next::Go),
            Phase::Returning { until, .. } if now >= until => {
                self.phase = Phase::Shared;
                Ok(Next::Ask)
            }
            Phase::Returning { share, .. } => self.of_share(share, now, lane).map(|()| Next::Ask),
        }
    }

    fn of_share(&self, share: Share, now: Micros, lane: Lane) -> Result<(), Micros> {
        let Some(interval) = share.interval.filter(|_| !self.leaving) else {
            return Err(micros(self.rate.window()));
        };
        // As for a limit without a burst: the background comes only after a slot that no reader wanted.
        let tolerance = match lane {
            Lane::Interactive => 0,
            Lane::Background => interval.saturating_neg(),
        };
        self.admitted(share.pace, interval, now, tolerance)
    }

    /// Whether one of the node's own bounds lets a request through, now and if those that Redis is being asked for are sent.
    fn admitted(&self, bound: Gcra, interval: Micros, now: Micros, tolerance: Micros) -> Result<(), Micros> {
        bound.admit(now, interval, tolerance)?;
        let with_those_asked = bound.with(self.asked.len(), now, interval).admit(now, interval, tolerance);
        // Their answers come sooner than their slots would.
        with_those_asked.map(|_| ()).map_err(|wait| wait.min(ANSWER))
    }

    /// Notes that Redis is being asked for a request of which it is [next](Self::next) to do so.
    pub(super) fn asking(&mut self, now: Micros) -> Asked {
        self.numbers += 1;
        let asked = Asked { number: self.numbers, until: now.saturating_add(micros(ASKED_FOR)) };
        self.asked.push(asked);
        asked
    }

    /// Redis granted it: the request goes out now. False if the answer came so late that it does not count.
    pub(super) fn granted(&mut self, asked: Asked, now: Micros) -> bool {
        let counts = self.asked.contains(&asked) && asked.until > now;
        self.not_granted(asked);
        if counts {
            self.sent(now);
        }
        counts
    }

    /// Redis did not grant it, or nobody waits for it any more.
    pub(super) fn not_granted(&mut self, asked: Asked) {
        self.asked.retain(|other| *other != asked);
    }

    /// Notes a request that goes out now, having what it [needs](Self::next).
    pub(super) fn sent(&mut self, now: Micros) {
        self.own = self.own.after(now, self.rate.interval());
        match &mut self.phase {
            Phase::Alone | Phase::Shared => {}
            Phase::Local(share) => {
                share.used = true;
                share.pace = share.pace.after(now, share.interval.unwrap_or(Micros::MAX / 4));
            }
            Phase::Returning { share, .. } => {
                share.pace = share.pace.after(now, share.interval.unwrap_or(Micros::MAX / 4));
            }
        }
    }

    /// What to ask Redis: for a slot of a lane, or only to be counted.
    pub(super) fn question(&self, now: Micros, account: &'static str, node: Id, lane: Option<Lane>) -> TakeSlot {
        TakeSlot {
            account,
            node,
            tolerance: lane.map(|lane| self.rate.tolerance(lane)),
            interval: self.rate.interval(),
            burst_time: self.rate.burst_time(),
            window: micros(self.rate.window()),
            silent_after: self.timing.silent_after,
            forget_after: self.timing.forget_after,
            believed_nodes: self.member.map_or(0, |member| member.nodes),
            used_share: matches!(self.phase, Phase::Local(Share { used: true, .. })),
            leaving: self.leaving,
            owed: self.fleet_due.map_or(-1, |due| due.saturating_sub(now)),
        }
    }

    /// Notes an answer of Redis to what it was asked at `asked`. True if it was away before.
    pub(super) fn heard(&mut self, asked: Micros, now: Micros, slot: &Slot) -> bool {
        let Membership { nodes: believed, since } = self.member.unwrap_or(Membership { nodes: 0, since: now });
        self.member = Some(Membership { nodes: slot.nodes.clamp(1, MOST_NODES), since });
        // Counted from the question, so that what is passed on never grows by the time that answers take.
        self.fleet_due = Some(asked.saturating_add(slot.owed));
        self.last_heard = self.last_heard.max(Some(asked));
        // An answer that was under way when Redis was lost does not say that it is back.
        let Phase::Local(share) = self.phase else { return false };
        if asked < share.since {
            return false;
        }
        // A newcomer has nobody who would count on it; and who was alone and still is has nobody to wait for.
        let others = believed > 1 || (believed == 1 && slot.nodes > 1);
        self.phase = if others {
            Phase::Returning { share, until: now.saturating_add(self.timing.grace) }
        } else {
            Phase::Shared
        };
        true
    }

    /// Notes that Redis did not answer what it was asked at `asked`. True if it did before.
    pub(super) fn lost(&mut self, asked: Micros, now: Micros) -> bool {
        if self.last_heard.is_some_and(|heard| heard > asked) {
            return false;
        }
        if !matches!(self.phase, Phase::Shared | Phase::Returning { .. }) {
            return false;
        }
        // A newcomer may only be slow to find Redis, while others have the whole of the limit from there.
        let others = self.member.is_none_or(|member| member.nodes > 1);
        let from = if others { now.saturating_add(self.timing.hold) } else { now };
        // The others know of a member from its first beats on; until then they count on its share themselves.
        let settled = self.member.filter(|member| now.saturating_sub(member.since) >= self.timing.silent_after);
        let interval = self.rate.share(settled.map(|member| member.nodes));
        let pace = Gcra::due_at(from.saturating_add(interval.unwrap_or(0)));
        self.phase = Phase::Local(Share { since: now, interval, pace, used: false });
        true
    }

    /// The node ends: from now on it is not counted, and has no share.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
    }

    /// How long until the next sign of life is due; `None` if it is due now.
    pub(super) fn until_beat(&self, now: Micros) -> Option<Micros> {
        let beat = match self.phase {
            Phase::Local(_) => return None,
            _ => micros(self.timing.beat),
        };
        let due = self.last_heard?.saturating_add(beat);
        Some(due.saturating_sub(now)).filter(|wait| *wait > 0)
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving
    }

    pub(super) fn timing(&self) -> Timing {
        self.timing
    }
}

/// More nodes than this on one account are a mistake; it bounds what Redis is asked to remember.
const MOST_NODES: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Micros = 1_000_000;
    const READER: Lane = Lane::Interactive;

    fn slot(nodes: u32) -> Slot {
        Slot { wait: None, nodes, owed: -1 }
    }

    /// One that has been counted among so many for a minute.
    fn settled(nodes: u32) -> Standing {
        let mut standing = Standing::new(Rate::per_minute(500), false);
        assert_eq!(standing.next(0, READER), Ok(Next::Ask));
        standing.heard(0, 0, &slot(nodes));
        standing.heard(60 * SECOND, 60 * SECOND, &slot(nodes));
        standing
    }

    fn first_slot(standing: &mut Standing, from: Micros) -> Micros {
        standing.next(from, READER).map_or_else(|wait| from + wait, |_| from)
    }

    #[test]
    fn alone_it_has_the_burst_and_nothing_to_ask() {
        let mut standing = Standing::new(Rate::per_minute(500), true);
        for _ in 0..50 {
            assert_eq!(standing.next(0, READER), Ok(Next::Go));
            standing.sent(0);
        }
        assert!(standing.next(0, READER).is_err());
        assert_eq!((standing.mode().as_str(), standing.nodes()), ("alone", 1));
        assert!(!standing.lost(0, 0));
    }

    #[test]
    fn its_own_clock_keeps_the_limit_whatever_redis_grants() {
        let mut standing = settled(3);
        (0..50).for_each(|_| standing.sent(60 * SECOND));
        assert!(standing.next(60 * SECOND, READER).is_err());
    }

    #[test]
    fn the_only_node_goes_on_with_its_share_after_one_interval() {
        let mut standing = settled(1);
        assert!(standing.lost(60 * SECOND, 60 * SECOND));
        let interval = Rate::per_minute(500).share(Some(1)).unwrap();
        assert_eq!(first_slot(&mut standing, 60 * SECOND), 60 * SECOND + interval);
        assert_eq!(standing.mode(), Mode::Local);
        assert!(!standing.lost(61 * SECOND, 61 * SECOND), "told once");
    }

    #[test]
    fn one_of_many_waits_until_redis_would_keep_its_share_free() {
        let mut standing = settled(3);
        standing.lost(60 * SECOND, 60 * SECOND);
        let interval = Rate::per_minute(500).share(Some(3)).unwrap();
        assert_eq!(first_slot(&mut standing, 60 * SECOND), 64 * SECOND + interval);
    }

    #[test]
    fn who_never_reached_redis_or_only_just_takes_a_newcomers_share() {
        let interval = Rate::per_minute(500).share(None).unwrap();
        let mut never = Standing::new(Rate::per_minute(500), false);
        never.lost(SECOND, SECOND);
        assert_eq!(first_slot(&mut never, SECOND), 5 * SECOND + interval);
        assert_eq!(never.nodes(), 0);

        let mut just = Standing::new(Rate::per_minute(500), false);
        just.heard(0, 0, &slot(1));
        just.lost(2 * SECOND, 2 * SECOND);
        assert_eq!(first_slot(&mut just, 2 * SECOND), 2 * SECOND + interval);
    }

    #[test]
    fn after_redis_is_back_it_needs_both_for_a_grace() {
        let mut standing = settled(2);
        standing.lost(60 * SECOND, 60 * SECOND);
        let first = first_slot(&mut standing, 60 * SECOND);
        assert_eq!(standing.next(first, READER), Ok(Next::Go));
        standing.sent(first);
        assert!(standing.question(0, "escavador", Id::new(1), None).used_share);
        assert!(standing.heard(first, first, &slot(2)));
        assert!(!standing.question(0, "escavador", Id::new(1), None).used_share, "told once");
        let interval = Rate::per_minute(500).share(Some(2)).unwrap();
        assert_eq!(standing.next(first, READER), Err(interval));
        assert_eq!(standing.next(first + interval, READER), Ok(Next::Ask));
        assert_eq!(standing.mode(), Mode::Shared);
        standing.sent(first + interval);
        let over = first + 15 * SECOND;
        for _ in 0..10 {
            assert_eq!(standing.next(over, READER), Ok(Next::Ask), "Redis alone decides");
            standing.sent(over);
        }
    }

    #[test]
    fn the_only_node_and_a_newcomer_need_no_grace() {
        for mut standing in [settled(1), Standing::new(Rate::per_minute(500), false)] {
            standing.lost(60 * SECOND, 60 * SECOND);
            assert!(standing.heard(61 * SECOND, 61 * SECOND, &slot(1)));
            assert_eq!(standing.next(61 * SECOND, READER), Ok(Next::Ask));
        }
    }

    #[test]
    fn with_its_share_the_background_comes_last() {
        let mut standing = settled(1);
        standing.lost(60 * SECOND, 60 * SECOND);
        let first = first_slot(&mut standing, 60 * SECOND);
        assert!(standing.next(first, Lane::Background).is_err());
        assert_eq!(standing.next(first + SECOND, Lane::Background), Ok(Next::Go));
    }

    #[test]
    fn who_leaves_is_not_counted_and_has_no_share() {
        let mut standing = settled(1);
        standing.leave();
        assert!(standing.question(0, "escavador", Id::new(1), Some(READER)).leaving);
        assert_eq!(standing.next(60 * SECOND, READER), Ok(Next::Ask), "what is under way may still ask Redis");
        standing.lost(60 * SECOND, 60 * SECOND);
        assert!(standing.next(120 * SECOND, READER).is_err());
    }

    #[test]
    fn a_request_that_is_asked_for_counts_until_it_is_answered_or_given_up() {
        let mut standing = settled(1);
        let now = 60 * SECOND;
        let asked: Vec<_> = (0..50).map(|_| standing.asking(now)).collect();
        assert!(standing.next(now, READER).is_err(), "a burst is being asked for");
        standing.not_granted(asked[0]);
        assert_eq!(standing.next(now, READER), Ok(Next::Ask));
        assert!(standing.granted(asked[1], now));
        assert!(!standing.granted(asked[1], now), "once");
        assert_eq!(standing.next(now, READER), Ok(Next::Ask));
        assert_eq!(standing.next(now + SECOND, READER), Ok(Next::Ask), "who asked is stuck");
        assert!(!standing.granted(asked[2], now + SECOND), "too late");
    }

    #[test]
    fn answers_that_overtake_each_other_change_nothing() {
        let mut standing = settled(2);
        assert!(!standing.lost(59 * SECOND, 61 * SECOND), "it answered a later question");
        assert!(standing.lost(61 * SECOND, 62 * SECOND));
        assert!(!standing.heard(61 * SECOND, 62 * SECOND, &slot(2)), "it may have gone since");
        assert_eq!(standing.mode(), Mode::Local);
        assert!(standing.heard(62 * SECOND, 62 * SECOND, &slot(2)));
    }

    #[test]
    fn a_sign_of_life_is_due_when_none_was_given_for_a_beat() {
        let mut standing = Standing::new(Rate::per_minute(500), false);
        assert_eq!(standing.until_beat(0), None);
        standing.heard(0, 0, &slot(1));
        assert_eq!(standing.until_beat(SECOND / 4), Some(SECOND * 3 / 4));
        assert_eq!(standing.until_beat(SECOND), None);
        standing.lost(0, 0);
        assert_eq!(standing.until_beat(0), None);
    }
}
