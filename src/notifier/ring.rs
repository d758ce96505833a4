//! The newest events in memory, ready to be sent: what almost every stream reads, so that a thousand of them cost the table no more
//! than one.

use std::collections::VecDeque;

use bytes::Bytes;

use super::frame;
use crate::domain::cnj::Cnj;
use crate::domain::event::Event;

/// Bytes that a stream takes at once: about what the server writes in one go. A single event may be larger.
pub(super) const CHUNK: usize = 64 * 1024;

/// All events after `floor` up to `newest`, except sealed ones, which no stream may show.
#[derive(Debug, Default)]
pub(super) struct Ring {
    events: VecDeque<Kept>,
    bytes: usize,
    floor: u64,
    /// None until the table was read for the first time.
    newest: Option<u64>,
}

#[derive(Debug)]
struct Kept {
    id: u64,
    cnj: Cnj,
    frame: Bytes,
}

/// What a stream finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// These frames (perhaps none), and where the stream stands once they are sent.
    Here {
        /// Ready to be sent.
        frames: Vec<Bytes>,
        /// Everything up to this number was looked at.
        upto: u64,
    },
    /// The stream is further behind than memory reaches.
    Behind,
}

impl Ring {
    /// The number of the newest event that is known of.
    pub(super) fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// Forgets everything and starts after a number.
    pub(super) fn restart(&mut self, newest: u64) {
        *self = Self { floor: newest, newest: Some(newest), ..Self::default() };
    }

    /// Adds the events that follow, and lets go of the oldest beyond the bounds.
    pub(super) fn extend(&mut self, events: &[Event], most_events: usize, most_bytes: usize) {
        for event in events {
            if self.newest.is_some_and(|newest| event.id <= newest) {
                continue;
            }
            self.newest = Some(event.id);
            if event.sealed {
                // What was told before must not be told again.
                self.forget(&event.cnj);
                continue;
            }
            let frame = frame::event(event);
            self.bytes = self.bytes.saturating_add(frame.len());
            self.events.push_back(Kept { id: event.id, cnj: event.cnj, frame });
            while self.events.len() > most_events || self.bytes > most_bytes {
                let Some(oldest) = self.events.pop_front() else { break };
                self.bytes = self.bytes.saturating_sub(oldest.frame.len());
                self.floor = oldest.id;
            }
        }
    }

    fn forget(&mut self, cnj: &Cnj) {
        self.events.retain(|kept| kept.cnj != *cnj);
        self.bytes = self.events.iter().map(|kept| kept.frame.len()).sum();
    }

    /// What follows a number, a chunk at the most.
    pub(super) fn after(&self, position: u64, cnj: Option<&Cnj>) -> Found {
        let newest = self.newest.unwrap_or(position);
        if position < self.floor {
            return Found::Behind;
        }
        let from = self.events.partition_point(|kept| kept.id <= position);
        let (mut frames, mut bytes) = (Vec::new(), 0_usize);
        for kept in self.events.iter().skip(from) {
            if cnj.is_some_and(|cnj| *cnj != kept.cnj) {
                continue;
            }
            bytes = bytes.saturating_add(kept.frame.len());
            if bytes > CHUNK && !frames.is_empty() {
                return Found::Here { frames, upto: kept.id.saturating_sub(1).max(position) };
            }
            frames.push(kept.frame.clone());
        }
        Found::Here { frames, upto: newest.max(position) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::notifier::sample::{cnj, event};

    const LARGE: usize = 1 << 20;

    fn ids(found: &Found) -> (Vec<u64>, u64) {
        let Found::Here { frames, upto } = found else { panic!("behind") };
        let id = |frame: &Bytes| {
            let text = std::str::from_utf8(frame).unwrap();
            text.lines().next().unwrap().strip_prefix("id: ").unwrap().parse().unwrap()
        };
        (frames.iter().map(id).collect(), *upto)
    }

    fn ring(from: u64, upto: u64, most: usize) -> Ring {
        let mut ring = Ring::default();
        ring.restart(from);
        let events: Vec<_> = (from + 1..=upto).map(|id| event(id, cnj(id % 2))).collect();
        ring.extend(&events, most, LARGE);
        ring
    }

    #[test]
    fn a_stream_gets_what_follows_of_its_process() {
        let ring = ring(10, 16, 100);
        assert_eq!(ids(&ring.after(12, None)), (vec![13, 14, 15, 16], 16));
        assert_eq!(ids(&ring.after(10, Some(&cnj(0)))), (vec![12, 14, 16], 16));
        assert_eq!(ids(&ring.after(10, Some(&cnj(5)))), (vec![11, 13, 15], 16));
        assert_eq!(ids(&ring.after(99, None)), (vec![], 99));
        assert_eq!(ring.after(9, None), Found::Behind);
    }

    #[test]
    fn it_forgets_the_oldest_and_says_so() {
        let ring = ring(0, 10, 4);
        assert_eq!(ring.after(5, None), Found::Behind);
        assert_eq!(ids(&ring.after(6, None)), (vec![7, 8, 9, 10], 10));
    }

    #[test]
    fn sealed_events_are_passed_over_but_counted() {
        let mut ring = ring(0, 2, 10);
        ring.extend(&[Event { sealed: true, ..event(3, cnj(1)) }], 10, LARGE);
        assert_eq!(ids(&ring.after(0, None)), (vec![2], 3), "nor what was told of the process before");
        assert_eq!(ring.newest(), Some(3));
    }

    #[test]
    fn what_was_read_twice_is_kept_once() {
        let mut ring = ring(0, 3, 10);
        ring.extend(&[event(3, cnj(0)), event(4, cnj(0))], 10, LARGE);
        assert_eq!(ids(&ring.after(0, None)), (vec![1, 2, 3, 4], 4));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Whoever follows chunk by chunk gets each event once and in order, whatever the sizes and bounds.
        #[test]
        fn following_misses_nothing(count in 1..120_u64, large in 0..7_u64, start in 0..120_u64) {
            let mut ring = Ring::default();
            ring.restart(0);
            for id in 1..=count {
                let mut event = event(id, cnj(0));
                if id % 7 == large { event.movement.text = "x".repeat(30_000); }
                ring.extend(&[event], 1_000, usize::MAX);
            }
            let (mut position, mut seen) = (start, Vec::new());
            while position < count {
                let (frames, upto) = ids(&ring.after(position, None));
                prop_assert!(upto > position);
                seen.extend(frames);
                position = upto;
            }
            prop_assert_eq!(seen, (start + 1..=count).collect::<Vec<_>>());
        }

        #[test]
        fn memory_has_an_end(sizes in prop::collection::vec(0..20_000_usize, 1..60)) {
            let mut ring = Ring::default();
            ring.restart(0);
            for (id, size) in (1..).zip(sizes) {
                let mut event = event(id, cnj(0));
                event.movement.text = "x".repeat(size);
                ring.extend(&[event], 16, 50_000);
                prop_assert!(ring.events.len() <= 16 && ring.bytes <= 50_000);
                prop_assert_eq!(ring.bytes, ring.events.iter().map(|kept| kept.frame.len()).sum::<usize>());
            }
        }
    }
}
