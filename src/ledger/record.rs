//! The lines of a ledger file, and what they add up to.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};

use super::call::{Call, Id, Sent};

/// A longer line was not written by us: the longest that we write names [`MOST_STORED`] calls.
const LONGEST_LINE: u64 = 64 * 1024;

/// How many calls one `stored` line names at most.
const MOST_STORED: usize = 1_000;

/// One line. Old files must be read for ever: words may be added, none changes its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Record {
    /// Is about to be sent.
    Sent(Sent),
    /// Has ended. Names the request once more in full, so that it does not depend on an earlier line.
    Ended(Call),
    /// Are in PostgreSQL, or were never sent: forgotten.
    Stored(Vec<Id>),
}

impl Record {
    pub(super) fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// The lines that forget these calls.
    pub(super) fn stored(ids: &[Id]) -> io::Result<Vec<Vec<u8>>> {
        ids.chunks(MOST_STORED).map(|ids| Self::Stored(ids.to_vec()).line()).collect()
    }
}

/// What a file says, line by line.
#[derive(Debug, Default)]
pub(super) struct Contents {
    open: BTreeMap<Id, Sent>,
    /// In the order in which they ended.
    closed: BTreeMap<u64, Call>,
    places: HashMap<Id, u64>,
    next: u64,
    /// Lines that could not be read. What is cut off at the end is not one of them.
    pub(super) damaged: u64,
    /// Up to here the file consists of whole lines, in bytes.
    pub(super) whole: u64,
}

impl Contents {
    /// Reads a file to its end. A last line without its end is what SIGKILL leaves of a write: whoever wrote it was never told
    /// that it is in the file, so it is ignored.
    pub(super) fn read(mut file: impl BufRead) -> io::Result<Self> {
        let mut contents = Self::default();
        let mut line = Vec::new();
        let mut at = 0;
        let mut is_too_long = false;
        loop {
            line.clear();
            let length = (&mut file).take(LONGEST_LINE).read_until(b'\n', &mut line)?;
            at += u64::try_from(length).map_err(io::Error::other)?;
            match line.pop() {
                None => return Ok(contents),
                Some(b'\n') if is_too_long => {
                    is_too_long = false;
                    contents.damaged += 1;
                    contents.whole = at;
                }
                Some(b'\n') => {
                    contents.line(&line);
                    contents.whole = at;
                }
                Some(_) => is_too_long = true,
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        match serde_json::from_slice(line) {
            Ok(record) => self.apply(record),
            Err(_) => self.damaged += 1,
        }
    }

    fn apply(&mut self, record: Record) {
        match record {
            Record::Sent(sent) => {
                if !self.places.contains_key(&sent.id) {
                    self.open.insert(sent.id, sent);
                }
            }
            Record::Ended(call) => {
                let id = call.sent.id;
                self.open.remove(&id);
                if !self.places.contains_key(&id) {
                    self.places.insert(id, self.next);
                    self.closed.insert(self.next, call);
                    self.next += 1;
                }
            }
            Record::Stored(ids) => {
                for id in ids {
                    self.open.remove(&id);
                    if let Some(place) = self.places.remove(&id) {
                        self.closed.remove(&place);
                    }
                }
            }
        }
    }

    /// How many requests had not ended.
    pub(super) fn open_calls(&self) -> usize {
        self.open.len()
    }

    /// What a dead process leaves to be stored: what had ended, in that order, then what had not, by the time it was sent.
    pub(super) fn into_calls(self) -> Vec<Call> {
        let mut open: Vec<Sent> = self.open.into_values().collect();
        open.sort_by_key(|sent| (sent.at, sent.id));
        self.closed.into_values().chain(open.into_iter().map(Call::interrupted)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::call::{CallOutcome, Cost};
    use crate::ledger::sample::{call, id, sent};

    fn ids(calls: &[Call]) -> Vec<(Id, CallOutcome)> {
        calls.iter().map(|call| (call.sent.id, call.outcome)).collect()
    }

    fn file(records: &[Record]) -> Vec<u8> {
        records.iter().flat_map(|record| record.line().unwrap()).collect()
    }

    #[test]
    fn the_words_of_a_file_do_not_change() {
        let written = concat!(
            r#"{"sent":{"id":"00000000000000000000000000000001","at":"2023-11-14T22:13:21Z","provider":"escavador","#,
            r#""endpoint":"cover","cnj":"0000001-39.2024.8.26.0100","lane":"interactive","caller":"anonymous","#,
            r#""expected_centavos":5,"draw":{"reservation":"00000000000000000000000000000009","centavos":5}}}"#,
            "\n",
            r#"{"ended":{"sent":{"id":"00000000000000000000000000000002","at":"2023-11-14T22:13:22Z","provider":"datajud","#,
            r#""endpoint":"search","cnj":null,"lane":"background","caller":"service","expected_centavos":0,"draw":null},"#,
            r#""outcome":"ok","status":200,"cost":{"basis":"charged","centavos":0},"took_ms":12}}"#,
            "\n",
            r#"{"stored":["00000000000000000000000000000003"]}"#,
            "\n",
        );
        let contents = Contents::read(written.as_bytes()).unwrap();
        assert_eq!((contents.damaged, contents.whole), (0, written.len().try_into().unwrap()));
        let calls = contents.into_calls();
        assert_eq!(ids(&calls), [(id(2), CallOutcome::Ok), (id(1), CallOutcome::Interrupted)]);
        assert_eq!(calls[1].cost, Cost::Presumed(5));
        let again: Vec<Record> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(String::from_utf8(file(&again)).unwrap(), written);
    }

    #[test]
    fn what_was_never_going_to_cost_anything_does_not_when_interrupted() {
        let mut free = sent(1);
        free.expected_centavos = 0;
        let calls = Contents::read(&*file(&[Record::Sent(free)])).unwrap().into_calls();
        assert_eq!(calls[0].cost, Cost::Charged(0));
    }

    #[test]
    fn a_damaged_line_is_counted_and_the_rest_is_read() {
        let whole = file(&[Record::Ended(call(2)), Record::Sent(sent(3))]);
        let too_long = vec![b' '; usize::try_from(LONGEST_LINE).unwrap() * 2 + 7];
        for damage in
            [&b"{\"sent\":{\"id\":\"12"[..], b"", b"\0\0\0\0", b"{\"never-heard-of\":1}", b"\xff\xfe", &too_long]
        {
            let bytes = [&*file(&[Record::Sent(sent(1))]), damage, b"\n", &whole].concat();
            let contents = Contents::read(&*bytes).unwrap();
            assert_eq!((contents.damaged, contents.whole), (1, bytes.len().try_into().unwrap()));
            assert_eq!(
                ids(&contents.into_calls()),
                [(id(2), CallOutcome::Ok), (id(1), CallOutcome::Interrupted), (id(3), CallOutcome::Interrupted)]
            );
        }
    }

    #[test]
    fn the_line_that_ends_a_request_needs_no_earlier_one() {
        let bytes = [b"damaged\n", &*file(&[Record::Ended(call(1))])].concat();
        assert_eq!(ids(&Contents::read(&*bytes).unwrap().into_calls()), [(id(1), CallOutcome::Ok)]);
    }

    #[test]
    fn every_stored_line_is_one_that_can_be_read_again() {
        let many: Vec<Id> = (0..2_500).map(id).collect();
        let lines = Record::stored(&many).unwrap();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| u64::try_from(line.len()).unwrap() < LONGEST_LINE));
        let bytes = [file(&[Record::Ended(call(2_499))]), lines.concat()].concat();
        let contents = Contents::read(&*bytes).unwrap();
        assert_eq!((contents.damaged, contents.into_calls().len()), (0, 0));
    }

    proptest! {
        /// Wherever the file is cut off, what it says is what its whole lines say, and each call is in it once.
        #[test]
        fn a_file_cut_off_anywhere_is_its_whole_lines(steps in prop::collection::vec((0..6_u8, 0..3_u8), 0..30), cut in 0.0..=1.0_f64) {
            let mut model: BTreeMap<u8, CallOutcome> = BTreeMap::new();
            let mut stages = [0_u8; 6];
            let mut bytes = Vec::new();
            let mut states = vec![(0, model.clone())];
            for (n, _) in steps {
                let which = usize::from(n);
                let record = match stages[which] {
                    0 => { model.insert(n, CallOutcome::Interrupted); Record::Sent(sent(n.into())) }
                    1 => { model.insert(n, CallOutcome::Ok); Record::Ended(call(n.into())) }
                    2 => { model.remove(&n); Record::Stored(vec![id(n.into())]) }
                    _ => continue,
                };
                stages[which] += 1;
                bytes.extend(record.line().unwrap());
                states.push((bytes.len(), model.clone()));
            }
            #[expect(clippy::as_conversions, clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "a place in a short file")]
            let cut = (bytes.len() as f64 * cut) as usize;
            let (whole, expected) = states.iter().rev().find(|(end, _)| *end <= cut).unwrap();
            let contents = Contents::read(&bytes[..cut]).unwrap();
            prop_assert_eq!((contents.damaged, contents.whole), (0, u64::try_from(*whole).unwrap()));
            let mut found = ids(&contents.into_calls());
            found.sort_by_key(|(id, _)| *id);
            let expected: Vec<_> = expected.iter().map(|(n, outcome)| (id(u128::from(*n)), *outcome)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
