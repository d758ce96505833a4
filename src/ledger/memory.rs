//! What the ledger holds in memory: the requests under way, and those that PostgreSQL has not stored yet. No disk, no waiting.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::call::{Call, Id, Sent};
use super::record::Record;

/// Calls of one process, to be stored together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The process that made them.
    pub node: Id,
    /// The calls, oldest first.
    pub calls: Arc<[Call]>,
    last: u64,
}

impl Batch {
    pub(super) fn ids(&self) -> Vec<Id> {
        self.calls.iter().map(|call| call.sent.id).collect()
    }
}

/// As many calls are held as the capacity allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IsFull;

#[derive(Debug)]
enum Stage {
    /// Its line is on its way to the file; nothing may be sent yet.
    Writing,
    /// Its line is in the file.
    Written,
    /// Whoever wanted to send it went away while its line was on its way: it will not be sent.
    GivenUp,
}

/// What the file must be told after a line about a request could be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing: the request may be sent.
    Yes,
    /// That it was not sent after all.
    GivenUp,
}

#[derive(Debug)]
pub(super) struct Memory {
    node: Id,
    capacity: usize,
    open: BTreeMap<Id, (Stage, Sent)>,
    own: Unstored,
    /// Processes that ended, in the order of their adoption.
    dead: Vec<(Id, Unstored)>,
}

impl Memory {
    pub(super) const fn new(node: Id, capacity: usize) -> Self {
        Self { node, capacity, open: BTreeMap::new(), own: Unstored::new(), dead: Vec::new() }
    }

    pub(super) fn open_calls(&self) -> usize {
        self.open.len()
    }

    pub(super) fn pending(&self) -> usize {
        self.own.len() + self.dead.iter().map(|(_, calls)| calls.len()).sum::<usize>()
    }

    pub(super) fn is_full(&self) -> bool {
        self.open_calls() + self.pending() >= self.capacity
    }

    /// What this process's file must hold: the dead ones have files of their own.
    pub(super) fn own_calls(&self) -> usize {
        self.open.len() + self.own.len()
    }

    /// The same as records.
    pub(super) fn own_records(&self) -> Vec<Record> {
        let closed = self.own.calls.iter().map(|(_, call)| Record::Ended(call.clone()));
        let open = self.open.values().filter(|(stage, _)| !matches!(stage, Stage::GivenUp));
        closed.chain(open.map(|(_, sent)| Record::Sent(sent.clone()))).collect()
    }

    /// A request wants to be sent; its line must be written next.
    pub(super) fn begin(&mut self, sent: Sent) -> Result<(), IsFull> {
        if self.is_full() {
            return Err(IsFull);
        }
        self.open.insert(sent.id, (Stage::Writing, sent));
        Ok(())
    }

    /// Its line is in the file.
    pub(super) fn written(&mut self, id: Id) -> Kept {
        match self.open.get_mut(&id) {
            Some((stage @ Stage::Writing, _)) => {
                *stage = Stage::Written;
                Kept::Yes
            }
            Some((Stage::GivenUp, _)) => {
                self.open.remove(&id);
                Kept::GivenUp
            }
            Some((Stage::Written, _)) | None => Kept::Yes,
        }
    }

    /// Its line could not be written: it is not sent.
    pub(super) fn refused(&mut self, id: Id) {
        self.open.remove(&id);
    }

    /// Whoever wanted to send it went away before they knew that they may. Says whether the file knows the request already and
    /// must be told.
    pub(super) fn give_up(&mut self, id: Id) -> bool {
        match self.open.get_mut(&id) {
            Some((stage @ Stage::Writing, _)) => {
                *stage = Stage::GivenUp;
                false
            }
            Some((Stage::Written, _)) => {
                self.open.remove(&id);
                true
            }
            Some((Stage::GivenUp, _)) | None => false,
        }
    }

    /// A request has ended. Says whether it was open: one that is not is counted already.
    pub(super) fn end(&mut self, call: Call) -> bool {
        let was_open = self.open.remove(&call.sent.id).is_some();
        if was_open {
            self.own.push(call);
        }
        was_open
    }

    /// Nobody will end this request any more. Gives what it counts as, unless it is not open, or was never sent.
    pub(super) fn interrupt(&mut self, id: Id) -> Option<Call> {
        match self.open.get_mut(&id) {
            Some((Stage::Written, _)) => {
                let (_, sent) = self.open.remove(&id)?;
                let call = Call::interrupted(sent);
                self.own.push(call.clone());
                Some(call)
            }
            Some((stage, _)) => {
                *stage = Stage::GivenUp;
                None
            }
            None => None,
        }
    }

    pub(super) fn adopt(&mut self, node: Id, calls: Vec<Call>) {
        let mut unstored = Unstored::new();
        calls.into_iter().for_each(|call| unstored.push(call));
        self.dead.push((node, unstored));
    }

    pub(super) fn knows(&self, node: Id) -> bool {
        node == self.node || self.dead.iter().any(|(dead, _)| *dead == node)
    }

    /// The oldest calls of one process. Processes that ended come first: their reservations wait for it.
    pub(super) fn next_batch(&self, most: usize) -> Option<Batch> {
        let own = std::iter::once((self.node, &self.own));
        self.dead.iter().map(|(node, calls)| (*node, calls)).chain(own).find_map(|(node, unstored)| {
            let (last, _) = unstored.calls.iter().take(most).next_back()?;
            let calls = unstored.calls.iter().take(most).map(|(_, call)| call.clone()).collect();
            Some(Batch { node, calls, last: *last })
        })
    }

    /// Forgets the calls of a batch.
    pub(super) fn stored(&mut self, batch: &Batch) {
        if batch.node == self.node {
            self.own.forget_through(batch.last);
        } else if let Some((_, calls)) = self.dead.iter_mut().find(|(node, _)| *node == batch.node) {
            calls.forget_through(batch.last);
        }
    }

    /// Processes that ended and have nothing left to be stored.
    pub(super) fn released(&self) -> Vec<Id> {
        self.dead.iter().filter(|(_, calls)| calls.len() == 0).map(|(node, _)| *node).collect()
    }

    /// Forgets a process that is released; any other one stays.
    pub(super) fn forget(&mut self, node: Id) -> bool {
        let known = self.dead.len();
        self.dead.retain(|(dead, calls)| *dead != node || calls.len() > 0);
        self.dead.len() < known
    }
}

/// Calls of one process, in the order in which they ended.
#[derive(Debug)]
struct Unstored {
    /// Numbered from the first on, so that a batch can say how far it reaches.
    calls: VecDeque<(u64, Call)>,
    next: u64,
}

impl Unstored {
    const fn new() -> Self {
        Self { calls: VecDeque::new(), next: 0 }
    }

    fn len(&self) -> usize {
        self.calls.len()
    }

    fn push(&mut self, call: Call) {
        self.calls.push_back((self.next, call));
        self.next += 1;
    }

    fn forget_through(&mut self, last: u64) {
        let keep_from = self.calls.partition_point(|(number, _)| *number <= last);
        self.calls.drain(..keep_from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::call::CallOutcome;
    use crate::ledger::sample::{call, id, sent};

    fn memory() -> Memory {
        Memory::new(id(100), 4)
    }

    fn begun(memory: &mut Memory, n: u128) {
        memory.begin(sent(n)).unwrap();
        assert_eq!(memory.written(id(n)), Kept::Yes);
    }

    fn next(memory: &Memory, most: usize) -> Option<(Id, Vec<Id>)> {
        memory.next_batch(most).map(|batch| (batch.node, batch.ids()))
    }

    #[test]
    fn a_request_is_open_then_pending_then_gone() {
        let mut memory = memory();
        begun(&mut memory, 1);
        assert_eq!((memory.open_calls(), memory.pending()), (1, 0));
        assert!(memory.end(call(1)));
        assert_eq!((memory.open_calls(), memory.pending()), (0, 1));
        let batch = memory.next_batch(10).unwrap();
        assert_eq!(batch.calls.to_vec(), [call(1)]);
        memory.stored(&batch);
        assert_eq!((memory.open_calls(), memory.pending(), next(&memory, 10)), (0, 0, None));
    }

    #[test]
    fn a_request_ends_once() {
        let mut memory = memory();
        begun(&mut memory, 1);
        assert_eq!(memory.interrupt(id(1)).unwrap().outcome, CallOutcome::Interrupted);
        assert!(!memory.end(call(1)));
        assert_eq!(memory.interrupt(id(1)), None);
        assert!(!memory.end(call(2)), "never begun");
        assert_eq!((memory.open_calls(), memory.pending()), (0, 1));
    }

    #[test]
    fn what_is_open_or_pending_anywhere_counts_for_the_bound() {
        let mut memory = memory();
        memory.adopt(id(50), vec![call(10), call(11)]);
        begun(&mut memory, 1);
        memory.end(call(1));
        begun(&mut memory, 2);
        assert_eq!(memory.begin(sent(3)), Err(IsFull));
        assert!(memory.end(call(2)), "an end is never refused");
        memory.stored(&memory.next_batch(1).unwrap());
        assert_eq!(memory.begin(sent(3)), Ok(()));
        assert_eq!(memory.begin(sent(4)), Err(IsFull));
    }

    #[test]
    fn batches_are_of_one_process_dead_ones_first_oldest_first() {
        let mut memory = memory();
        begun(&mut memory, 1);
        begun(&mut memory, 2);
        memory.end(call(2));
        memory.end(call(1));
        memory.adopt(id(50), vec![call(10), call(11)]);
        memory.adopt(id(40), vec![call(12)]);
        for expected in [
            (id(50), vec![id(10)]),
            (id(50), vec![id(11)]),
            (id(40), vec![id(12)]),
            (id(100), vec![id(2)]),
            (id(100), vec![id(1)]),
        ] {
            assert_eq!(next(&memory, 0), None);
            assert_eq!(next(&memory, 1), Some(expected.clone()));
            memory.stored(&memory.next_batch(1).unwrap());
        }
        assert_eq!(next(&memory, 1), None);
    }

    #[test]
    fn a_batch_forgets_what_it_holds_and_nothing_that_came_later() {
        let mut memory = memory();
        begun(&mut memory, 1);
        begun(&mut memory, 2);
        begun(&mut memory, 3);
        memory.end(call(1));
        let small = memory.next_batch(10).unwrap();
        memory.end(call(2));
        let large = memory.next_batch(10).unwrap();
        memory.end(call(3));
        memory.stored(&large);
        memory.stored(&small);
        assert_eq!(next(&memory, 10), Some((id(100), vec![id(3)])));
    }

    #[test]
    fn a_dead_process_is_released_when_all_it_left_is_stored() {
        let mut memory = memory();
        memory.adopt(id(50), vec![call(10), call(11)]);
        memory.adopt(id(40), vec![]);
        assert!(memory.knows(id(100)) && memory.knows(id(50)) && !memory.knows(id(60)));
        assert_eq!(memory.released(), [id(40)]);
        assert!(!memory.forget(id(50)), "something is left");
        memory.stored(&memory.next_batch(1).unwrap());
        assert_eq!(memory.released(), [id(40)]);
        memory.stored(&memory.next_batch(1).unwrap());
        assert_eq!(memory.released(), [id(50), id(40)]);
        assert!(memory.forget(id(50)) && memory.forget(id(40)) && !memory.forget(id(40)) && !memory.forget(id(100)));
        assert!(memory.released().is_empty());
    }

    #[test]
    fn a_request_given_up_before_it_was_sent_is_no_request() {
        let mut memory = memory();
        // While its line is on its way; an interrupt says the same.
        for give_up in
            [|memory: &mut Memory| memory.give_up(id(1)), |memory: &mut Memory| memory.interrupt(id(1)).is_some()]
        {
            memory.begin(sent(1)).unwrap();
            assert!(!give_up(&mut memory));
            assert!(memory.own_records().is_empty());
            assert_eq!(memory.written(id(1)), Kept::GivenUp);
            memory.begin(sent(1)).unwrap();
            assert!(!give_up(&mut memory));
            memory.refused(id(1));
            assert_eq!(memory.own_calls(), 0);
        }
        // When the file has it, and nobody was told.
        begun(&mut memory, 1);
        assert!(memory.give_up(id(1)));
        assert!(!memory.give_up(id(1)));
        assert_eq!(memory.own_calls(), 0);
    }

    #[test]
    fn a_new_file_holds_what_is_open_and_what_is_pending() {
        let mut memory = memory();
        begun(&mut memory, 1);
        begun(&mut memory, 2);
        memory.end(call(2));
        memory.adopt(id(50), vec![call(10)]);
        assert_eq!(memory.own_records(), [Record::Ended(call(2)), Record::Sent(sent(1))]);
        assert_eq!(memory.own_calls(), 2);
    }
}
