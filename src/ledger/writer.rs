//! The way of lines to the file: many callers put lines into a queue, one thread at a time writes all that is there.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::call::Id;
use super::folder::Claim;
use super::memory::{Kept, Memory};
use super::record::Record;

/// A write may find that requests were given up meanwhile; telling the file so takes a second one.
const WRITES_A_TURN: u32 = 2;

/// Hears whether the line is in the file.
pub(super) type Written = oneshot::Receiver<io::Result<()>>;

/// Memory and file of this process, which say the same once the queue is empty.
#[derive(Debug)]
pub(super) struct Writer {
    book: Mutex<Book>,
    /// Taken before the book, never while holding it.
    file: Mutex<OwnFile>,
    /// Whether the disk refused the last line.
    refuses: AtomicBool,
}

/// What is changed together, in no time and without the disk.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) memory: Memory,
    /// Lines in the order of what happened. Bounded by the memory's capacity: while the disk refuses, nothing new begins, and
    /// what is open ends once.
    queue: Vec<Line>,
    /// A thread has been asked to write, and has not looked into the queue yet.
    is_asked: bool,
}

#[derive(Debug)]
struct OwnFile {
    claim: Claim,
}

#[derive(Debug)]
struct Line {
    bytes: Vec<u8>,
    /// The request that it says is about to be sent: a line that is dropped when the disk refuses it. All others are kept for
    /// later.
    begins: Option<Id>,
    waiter: Option<oneshot::Sender<io::Result<()>>>,
}

impl Book {
    /// A line that lets a request be sent.
    pub(super) fn write_beginning(&mut self, id: Id, bytes: Vec<u8>) -> Written {
        let (waiter, written) = oneshot::channel();
        self.queue.push(Line { bytes, begins: Some(id), waiter: Some(waiter) });
        written
    }

    /// A line that says what has happened already.
    pub(super) fn write(&mut self, bytes: Vec<u8>) -> Written {
        let (waiter, written) = oneshot::channel();
        self.queue.push(Line { bytes, begins: None, waiter: Some(waiter) });
        written
    }

    /// The same, and nobody waits: it is written with the next line.
    pub(super) fn write_some_time(&mut self, bytes: Vec<u8>) {
        self.queue.push(Line { bytes, begins: None, waiter: None });
    }
}

impl Writer {
    pub(super) fn new(memory: Memory, claim: Claim) -> Self {
        Self {
            book: Mutex::new(Book { memory, queue: Vec::new(), is_asked: false }),
            file: Mutex::new(OwnFile { claim }),
            refuses: AtomicBool::new(false),
        }
    }

    /// Whether the disk refused the last line: until it takes one again, nothing may be sent.
    pub(super) fn refuses(&self) -> bool {
        self.refuses.load(Ordering::Relaxed)
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        // Each change of it is complete in itself: a panic in between leaves nothing half done.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the queue written on a thread where blocking is allowed.
    pub(super) fn ask(self: &Arc<Self>) {
        {
            let mut book = self.book();
            if book.is_asked || book.queue.is_empty() {
                return;
            }
            book.is_asked = true;
        }
        let turn = Turn(Some(Arc::clone(self)));
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(turn))),
            Err(_no_runtime) => drop(turn),
        }
    }

    /// Writes all that is in the queue. Gives what the waiters are to be told.
    pub(super) fn write_now(&self) -> Answers {
        let mut answers = Answers::default();
        for _ in 0..WRITES_A_TURN {
            if !self.write_once(&mut answers) {
                break;
            }
        }
        answers
    }

    /// Says whether something is left that was not there before.
    fn write_once(&self, answers: &mut Answers) -> bool {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (lines, records) = {
            let mut book = self.book();
            book.is_asked = false;
            let worth_it = file.claim.log.is_worth_replacing(book.memory.own_calls());
            (std::mem::take(&mut book.queue), worth_it.then(|| book.memory.own_records()))
        };
        if lines.is_empty() {
            return false;
        }
        let written = file.write(&lines, records);
        self.note(&written);
        match written {
            Ok(()) => self.accept(lines, answers),
            Err(error) => {
                self.refuse(lines, &error, answers);
                false
            }
        }
    }

    /// Says it when the disk begins to refuse, and when it has ended.
    fn note(&self, written: &io::Result<()>) {
        let refused = self.refuses.swap(written.is_err(), Ordering::Relaxed);
        match written {
            Ok(()) if refused => tracing::info!("the ledger file can be written again"),
            Err(error) if !refused => {
                tracing::error!(%error, "the ledger file cannot be written: no vendor is asked until it can");
            }
            _ => {}
        }
    }

    fn accept(&self, lines: Vec<Line>, answers: &mut Answers) -> bool {
        let mut given_up = Vec::new();
        let mut book = self.book();
        for id in lines.iter().filter_map(|line| line.begins) {
            if book.memory.written(id) == Kept::GivenUp {
                given_up.push(id);
            }
        }
        for bytes in Record::stored(&given_up).unwrap_or_default() {
            book.write_some_time(bytes);
        }
        answers.0.extend(lines.into_iter().filter_map(|line| Some((line.waiter?, Ok(())))));
        !given_up.is_empty()
    }

    /// What wants to begin is told that it may not; what has happened is kept, before what has come to the queue since.
    fn refuse(&self, lines: Vec<Line>, error: &io::Error, answers: &mut Answers) {
        let mut book = self.book();
        let mut kept = Vec::new();
        for mut line in lines {
            answers.0.extend(line.waiter.take().map(|waiter| (waiter, Err(same(error)))));
            match line.begins {
                Some(id) => book.memory.refused(id),
                None => kept.push(line),
            }
        }
        kept.append(&mut book.queue);
        book.queue = kept;
    }
}

/// What the waiters of some lines are to be told; they are told when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<(oneshot::Sender<io::Result<()>>, io::Result<()>)>);

impl Drop for Answers {
    fn drop(&mut self) {
        for (waiter, answer) in self.0.drain(..) {
            // Who has gone away has seen to it.
            let _ = waiter.send(answer);
        }
    }
}

impl OwnFile {
    /// Adds the lines, or makes a new file of the records, in which the lines are contained.
    fn write(&mut self, lines: &[Line], records: Option<Vec<Record>>) -> io::Result<()> {
        let replaced = records.is_some_and(|records| {
            let replaced = self.claim.log.replace(&records);
            if let Err(error) = &replaced {
                tracing::warn!(%error, "the ledger file could not be replaced by a shorter one; it grows on");
            }
            replaced.is_ok()
        });
        if replaced {
            return Ok(());
        }
        let bytes: Vec<u8> = lines.iter().flat_map(|line| &line.bytes).copied().collect();
        self.claim.log.append(&bytes)
    }
}

/// A turn at writing, taken when it is dropped: after its thread has started, or when its runtime ends before that.
struct Turn(Option<Arc<Writer>>);

impl Drop for Turn {
    fn drop(&mut self) {
        let answers = self.0.as_ref().map(|writer| writer.write_now());
        // Before anybody hears of it: who then drops the ledger has set its file free.
        self.0 = None;
        drop(answers);
    }
}

/// The same error for one more caller.
fn same(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::ambient::SystemRandom;
    use crate::ledger::folder::Folder;
    use crate::ledger::record::Contents;
    use crate::ledger::sample::{call, id, sent};

    fn writer(folder: &Path) -> Arc<Writer> {
        let claim = Folder::open(folder).unwrap().start(&SystemRandom::shared()).unwrap();
        Arc::new(Writer::new(Memory::new(claim.node, 10), claim))
    }

    fn begin(writer: &Writer, n: u128) -> Written {
        let mut book = writer.book();
        book.memory.begin(sent(n)).unwrap();
        book.write_beginning(id(n), Record::Sent(sent(n)).line().unwrap())
    }

    fn end(writer: &Writer, n: u128) -> Written {
        let mut book = writer.book();
        assert!(book.memory.end(call(n)));
        book.write(Record::Ended(call(n)).line().unwrap())
    }

    fn file(folder: &Path) -> PathBuf {
        let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|extension| extension == "ledger")).unwrap()
    }

    fn contents(folder: &Path) -> Contents {
        Contents::read(&*std::fs::read(file(folder)).unwrap()).unwrap()
    }

    /// Until dropped, every write and every truncation of this file fails.
    fn refuse(writer: &Writer) -> impl FnOnce() {
        let mut file = writer.file.lock().unwrap();
        let good = file.claim.log.break_it();
        move || writer.file.lock().unwrap().claim.log.mend_it(good)
    }

    #[test]
    fn a_refusing_disk_lets_nothing_begin_and_loses_no_end() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        let mut first = begin(&writer, 1);
        drop(writer.write_now());
        assert!(first.try_recv().unwrap().is_ok());

        let mend = refuse(&writer);
        for n in 2..100 {
            let mut refused = begin(&writer, n);
            drop(writer.write_now());
            assert!(refused.try_recv().unwrap().is_err());
        }
        let mut ended = end(&writer, 1);
        drop(writer.write_now());
        assert!(ended.try_recv().unwrap().is_err());
        let book = writer.book();
        assert_eq!((book.memory.open_calls(), book.memory.pending(), book.queue.len()), (0, 1, 1));
        drop(book);
        assert_eq!(contents(folder.path()).open_calls(), 1);

        mend();
        let mut again = begin(&writer, 2);
        drop(writer.write_now());
        assert!(again.try_recv().unwrap().is_ok());
        let contents = contents(folder.path());
        assert_eq!((contents.open_calls(), contents.damaged), (1, 0));
        assert_eq!(contents.into_calls()[0], call(1));
    }

    #[test]
    fn a_request_given_up_while_its_line_is_written_is_forgotten_in_the_same_turn() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        drop(begin(&writer, 1));
        assert!(!writer.book().memory.give_up(id(1)));
        drop(writer.write_now());
        let contents = contents(folder.path());
        assert!(contents.whole > 0);
        assert_eq!((contents.open_calls(), writer.book().memory.open_calls()), (0, 0));
    }

    #[test]
    fn a_long_file_of_stored_calls_is_replaced_and_means_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        let path = file(folder.path());
        let mut longest = 0;
        for n in 0..20_000_u128 {
            drop(begin(&writer, n));
            drop(writer.write_now());
            drop(end(&writer, n));
            if n % 5 == 4 {
                let mut book = writer.book();
                let batch = book.memory.next_batch(3).unwrap();
                book.memory.stored(&batch);
                Record::stored(&batch.ids()).unwrap().into_iter().for_each(|line| book.write_some_time(line));
                let rest = book.memory.next_batch(2).unwrap();
                book.memory.stored(&rest);
                Record::stored(&rest.ids()).unwrap().into_iter().for_each(|line| book.write_some_time(line));
            }
            longest = longest.max(std::fs::metadata(&path).unwrap().len());
        }
        drop(begin(&writer, 30_000));
        drop(writer.write_now());
        assert!((4 << 20..5 << 20).contains(&longest), "{longest}");
        let contents = contents(folder.path());
        assert_eq!((contents.damaged, contents.open_calls()), (0, 1));
        assert_eq!(contents.into_calls().len(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_replaced_grows_on() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        // A folder in the way of the new file.
        std::fs::create_dir(file(folder.path()).with_extension("tmp")).unwrap();
        for n in 0..20_000_u128 {
            let mut begun = begin(&writer, n);
            drop(writer.write_now());
            assert!(begun.try_recv().unwrap().is_ok());
            let mut book = writer.book();
            assert!(book.memory.give_up(id(n)));
            book.write_some_time(Record::Stored(vec![id(n)]).line().unwrap());
        }
        let contents = contents(folder.path());
        assert!(contents.whole > 5 << 20);
        assert_eq!((contents.damaged, contents.open_calls()), (0, 1));
    }
}
