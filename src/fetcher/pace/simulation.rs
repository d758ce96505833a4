//! A whole fleet in virtual time, under everything that may happen to Redis: no window ever sees more than the limit.
//!
//! Redis is a model of the script in `redis_tier::slots`; the integration tests run the same against the real one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::rate::{Rate, duration, micros};
use super::standing::{Next, Standing};
use crate::domain::caller::Lane;
use crate::ledger::call::Id;
use crate::redis_tier::slots::{Slot, TakeSlot};
use crate::resilience::gcra::Micros;

const SECOND: Micros = 1_000_000;
const TICK: Micros = 20_000;

/// A minute, and the differences of the way to the vendor (see `Rate`).
const VENDORS_WINDOW: Micros = 61_500_000;

/// The script, in Rust.
#[derive(Debug, Clone, Default)]
struct Redis {
    due: Option<i64>,
    nodes: BTreeMap<String, i64>,
}

impl Redis {
    fn take(&mut self, now: Micros, ask: &TakeSlot) -> Slot {
        let node = ask.node.to_string();
        self.nodes.retain(|_, seen| *seen > now - ask.forget_after);
        let stranger = !self.nodes.contains_key(&node);
        if ask.leaving {
            self.nodes.remove(&node);
        } else {
            self.nodes.insert(node.clone(), now);
        }
        if stranger && ask.believed_nodes > 0 && !ask.leaving {
            let found = self.nodes.keys().find(|name| name.starts_with('?')).cloned();
            found.map(|name| self.nodes.remove(&name));
            for number in self.nodes.len()..usize::try_from(ask.believed_nodes).unwrap() {
                self.nodes.insert(format!("?{number}:{node}"), now - ask.silent_after - 1);
            }
        }
        let nodes = i64::try_from(self.nodes.len()).unwrap();
        let silent = self.nodes.values().filter(|seen| **seen < now - ask.silent_after).count();
        let heard = (nodes - i64::try_from(silent).unwrap()).max(1);
        let spread = ((ask.interval * nodes + heard - 1) / heard).min(ask.forget_after.max(ask.interval));
        let owing = now + ask.burst_time;
        let mut due = self.due.filter(|due| *due <= owing + ask.forget_after).unwrap_or(owing);
        due = due.max(now + ask.owed.min(ask.forget_after));
        if ask.used_share {
            due = due.max(owing) + ask.interval;
        }
        let wait = ask.tolerance.map_or(0, |tolerance| due - tolerance - now);
        if ask.tolerance.is_some() && wait <= 0 {
            due = due.max(now) + spread;
        }
        self.due = Some(due);
        Slot { wait: (wait > 0).then(|| duration(wait)), nodes: u32::try_from(nodes).unwrap(), owed: due - now }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Fine,
    /// Gone, and then back with nothing in its memory.
    Killed,
    /// Gone, and then back with what it knew when it was gone for the last time.
    Restored,
    /// Silent; what it was sent meanwhile it carries out in the end.
    Paused,
    /// One node does not reach it.
    CutOff(usize),
    /// In fine weather, all it knows is removed at once.
    Flushed,
}

#[derive(Debug, Clone)]
struct Segment {
    weather: Weather,
    lasts: Micros,
    /// Which nodes have work: readers' (1), background (2), both (3), by bits of two.
    work: u32,
    /// How long after good weather each finds Redis again.
    reconnects_after: Micros,
}

struct Node {
    standing: Standing,
    id: Id,
    starts: Micros,
    ends: Micros,
    link_from: Option<Micros>,
    next_beat: Micros,
}

struct Fleet {
    redis: Redis,
    backup: Redis,
    /// What a paused Redis was sent.
    late: Vec<TakeSlot>,
    nodes: Vec<Node>,
    sent: Vec<Micros>,
    now: Micros,
}

impl Fleet {
    fn new(rate: Rate, lives: &[(Micros, Micros)]) -> Self {
        let node = |(number, (starts, ends)): (usize, &(Micros, Micros))| Node {
            standing: Standing::new(rate, false),
            id: Id::new(u128::try_from(number).unwrap()),
            starts: *starts,
            ends: *ends,
            link_from: None,
            next_beat: 0,
        };
        let nodes = lives.iter().enumerate().map(node).collect();
        Self { redis: Redis::default(), backup: Redis::default(), late: Vec::new(), nodes, sent: Vec::new(), now: 0 }
    }

    fn run(&mut self, segments: &[Segment]) {
        for segment in segments {
            let until = self.now + segment.lasts;
            if segment.weather == Weather::Flushed {
                self.redis = Redis::default();
            }
            while self.now < until {
                for index in 0..self.nodes.len() {
                    self.live(index, segment);
                }
                self.now += TICK;
            }
            match segment.weather {
                Weather::Killed => self.redis = Redis::default(),
                Weather::Restored => {
                    std::mem::swap(&mut self.redis, &mut self.backup);
                    self.backup = self.redis.clone();
                }
                Weather::Paused => {
                    for ask in std::mem::take(&mut self.late) {
                        self.redis.take(self.now, &ask);
                    }
                }
                Weather::Fine | Weather::CutOff(_) | Weather::Flushed => {}
            }
        }
    }

    fn ask(&mut self, index: usize, lane: Option<Lane>, segment: &Segment) -> Option<Slot> {
        let node = &mut self.nodes[index];
        let question = node.standing.question(self.now, "escavador", node.id, lane);
        let reached = match segment.weather {
            Weather::Fine | Weather::Flushed => true,
            Weather::CutOff(who) => who != index,
            Weather::Killed | Weather::Restored | Weather::Paused => false,
        };
        let linked = node.link_from.is_some_and(|from| from <= self.now);
        if !reached {
            if segment.weather == Weather::Paused && linked {
                self.late.push(question);
            }
            node.link_from = None;
        } else if node.link_from.is_none() {
            // Not all find it at the same moment.
            let after = segment.reconnects_after * i64::try_from(index + 1).unwrap() / 4;
            node.link_from = Some(self.now + after);
        }
        if reached && node.link_from.is_some_and(|from| from <= self.now) {
            let slot = self.redis.take(self.now, &question);
            node.standing.heard(self.now, self.now, &slot);
            return Some(slot);
        }
        node.standing.lost(self.now, self.now);
        None
    }

    fn live(&mut self, index: usize, segment: &Segment) {
        let now = self.now;
        let node = &mut self.nodes[index];
        if now < node.starts || now >= node.ends {
            if now >= node.ends && !node.standing.is_leaving() {
                node.standing.leave();
                self.ask(index, None, segment);
            }
            return;
        }
        if now >= node.next_beat && node.standing.until_beat(now).is_none() {
            let heard = self.ask(index, None, segment).is_some();
            let timing = self.nodes[index].standing.timing();
            self.nodes[index].next_beat = now + micros(if heard { timing.beat } else { timing.beat_away });
        }
        let work = segment.work >> (2 * index);
        for (bit, lane) in [(1, Lane::Interactive), (2, Lane::Background)] {
            // Greedy: as much as it gets.
            while work & bit != 0 && self.send(index, lane, segment) {}
        }
    }

    fn send(&mut self, index: usize, lane: Lane, segment: &Segment) -> bool {
        // Twice: to learn that Redis is away changes what is needed.
        for _ in 0..2 {
            let Ok(needs) = self.nodes[index].standing.next(self.now, lane) else { return false };
            let answer = if needs == Next::Ask { self.ask(index, Some(lane), segment) } else { None };
            if needs == Next::Go || answer.is_some_and(|slot| slot.wait.is_none()) {
                self.nodes[index].standing.sent(self.now);
                self.sent.push(self.now);
                return true;
            }
            if answer.is_some() {
                return false;
            }
        }
        false
    }

    fn most_in_a_window(&self, window: Micros) -> usize {
        let mut most = 0;
        let mut from = 0;
        for (at, moment) in self.sent.iter().enumerate() {
            while moment - self.sent[from] > window {
                from += 1;
            }
            most = most.max(at - from + 1);
        }
        most
    }
}

fn segment(weather: impl Strategy<Value = Weather>) -> impl Strategy<Value = Segment> {
    let lasts = prop_oneof![2 * SECOND..5 * SECOND, 2 * SECOND..70 * SECOND];
    (weather, lasts, prop_oneof![Just(0xFFFF_u32), Just(0x5555), any::<u32>()], 0..4 * SECOND)
        .prop_map(|(weather, lasts, work, reconnects_after)| Segment { weather, lasts, work, reconnects_after })
}

fn storms() -> impl Strategy<Value = Weather> {
    prop_oneof![
        3 => Just(Weather::Fine),
        1 => Just(Weather::Killed),
        1 => Just(Weather::Restored),
        1 => Just(Weather::Paused),
        1 => Just(Weather::Flushed),
    ]
}

fn limits() -> impl Strategy<Value = u32> {
    prop_oneof![1_u32..6, 6_u32..60, Just(500), 60_u32..600]
}

fn fine(seconds: Micros) -> Segment {
    Segment { weather: Weather::Fine, lasts: seconds * SECOND, work: 0x5555, reconnects_after: 0 }
}

const ALWAYS: (Micros, Micros) = (0, Micros::MAX);

proptest! {
    /// Whatever happens to Redis as a whole, with nodes that come and go.
    #[test]
    fn no_storm_makes_the_fleet_exceed_the_limit(
        limit in limits(),
        nodes in 1_usize..5,
        comes in 0..200 * SECOND,
        goes in 0..200 * SECOND,
        storm in prop::collection::vec(segment(storms()), 1..8),
    ) {
        let mut lives = vec![ALWAYS; nodes];
        lives.push((comes, Micros::MAX));
        lives.push((0, goes));
        let mut fleet = Fleet::new(Rate::per_minute(limit), &lives);
        fleet.run(&storm);
        let most = fleet.most_in_a_window(VENDORS_WINDOW);
        prop_assert!(most <= usize::try_from(limit).unwrap(), "{most} of {limit}");
    }

    /// Redis lost by one node at a time, and by all, in a fleet that stays the same.
    #[test]
    fn no_node_cut_off_makes_the_fleet_exceed_the_limit(
        limit in limits(),
        nodes in 1_usize..5,
        storm in prop::collection::vec(segment(prop_oneof![1 => storms(), 1 => (0_usize..5).prop_map(Weather::CutOff)]), 1..8),
    ) {
        let mut fleet = Fleet::new(Rate::per_minute(limit), &vec![ALWAYS; nodes]);
        fleet.run(&[fine(10)]);
        fleet.run(&storm);
        let most = fleet.most_in_a_window(VENDORS_WINDOW);
        prop_assert!(most <= usize::try_from(limit).unwrap(), "{most} of {limit}");
    }
}

#[test]
fn in_fine_weather_the_limit_is_nearly_used() {
    for nodes in 1..5 {
        let mut fleet = Fleet::new(Rate::per_minute(500), &vec![ALWAYS; nodes]);
        fleet.run(&[fine(240)]);
        assert!(fleet.sent.len() >= 500 * 4 * 85 / 100, "{} of {nodes}", fleet.sent.len());
    }
}

#[test]
fn when_redis_is_gone_for_good_the_fleet_goes_on_with_most_of_it() {
    for nodes in 1..5 {
        let mut fleet = Fleet::new(Rate::per_minute(500), &vec![ALWAYS; nodes]);
        fleet.run(&[fine(60), Segment { weather: Weather::Killed, ..fine(120) }]);
        let after = fleet.sent.iter().filter(|moment| **moment >= 60 * SECOND).count();
        assert!(after >= 500 * 2 * 70 / 100, "{after} of {nodes}");
    }
}

/// A node that is killed leaves its share free for ten minutes; one that signs off, at once.
#[test]
fn what_a_silent_node_leaves_free_is_used_once_it_is_forgotten() {
    let mut fleet = Fleet::new(Rate::per_minute(500), &[ALWAYS, (0, 60 * SECOND)]);
    fleet.run(&[fine(180)]);
    let signed_off = fleet.sent.iter().filter(|moment| **moment >= 120 * SECOND).count();
    assert!(signed_off >= 425, "{signed_off}");

    let mut fleet = Fleet::new(Rate::per_minute(500), &[ALWAYS; 2]);
    let cut_off = |seconds| Segment { weather: Weather::CutOff(1), work: 0x5555, ..fine(seconds) };
    fleet.run(&[fine(60), cut_off(60)]);
    fleet.nodes.truncate(1);
    fleet.run(&[fine(600)]);
    let between = |from, to| fleet.sent.iter().filter(|at| (from * SECOND..to * SECOND).contains(*at)).count();
    assert!(between(600, 660) <= 230, "half is kept free");
    assert!(between(660, 720) >= 425, "{}", between(660, 720));
}
