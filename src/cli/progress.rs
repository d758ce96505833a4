//! How far something is that takes its time: a bar where a person looks, a line now and then where a program writes it down. On stderr, so
//! that the result has stdout for itself.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::say;
use crate::ambient::SharedClock;

/// How often a line is written where there is no terminal: a job of an hour fills no log.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The bar: how long it takes yet is a guess, and says so.
const TEMPLATE: &str = "{bar:30} {pos}/{len} ({percent}%) ~{eta} {msg}";

/// One thing's progress.
pub(super) struct Progress {
    total: u64,
    clock: SharedClock,
    face: Face,
}

enum Face {
    Bar(ProgressBar),
    Lines { last: Option<(Instant, u64)> },
}

impl Progress {
    /// Nothing of `total` is done yet.
    pub(super) fn of(total: u64, clock: SharedClock) -> Self {
        let face = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            // A template that cannot be read leaves the crate's own.
            Face::Bar(match ProgressStyle::with_template(TEMPLATE) {
                Ok(style) => bar.with_style(style),
                Err(_unreadable) => bar,
            })
        } else {
            Face::Lines { last: None }
        };
        Self { total, clock, face }
    }

    /// There is more to do than was known.
    pub(super) fn grow(&mut self, total: u64) {
        self.total = total;
        if let Face::Bar(bar) = &self.face {
            bar.set_length(total);
        }
    }

    /// Shows that so many are done; `note` says what else is worth knowing.
    pub(super) fn show(&mut self, done: u64, note: &str) {
        // What a server sends must not move the cursor.
        let note = note.replace(char::is_control, "?");
        match &mut self.face {
            Face::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(note);
            }
            Face::Lines { last } => {
                let now = self.clock.monotonic();
                if is_due(*last, (now, done), self.total) {
                    *last = Some((now, done));
                    say(&line(done, self.total, &note));
                }
            }
        }
    }

    /// Says something beside it.
    pub(super) fn say(&self, line: &str) {
        match &self.face {
            Face::Bar(bar) => bar.suspend(|| say(line)),
            Face::Lines { .. } => say(line),
        }
    }
}

impl Drop for Progress {
    /// The bar stays where it is: what comes next begins below it.
    fn drop(&mut self) {
        if let Face::Bar(bar) = &self.face {
            bar.abandon();
        }
    }
}

/// Whether a line is due: the first, the last, and between them one now and then.
fn is_due(last: Option<(Instant, u64)>, (now, done): (Instant, u64), total: u64) -> bool {
    match last {
        None => true,
        Some((_, before)) if before == done => false,
        Some((at, _)) => done >= total || now.saturating_duration_since(at) >= LINE_EVERY,
    }
}

fn line(done: u64, total: u64, note: &str) -> String {
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
    format!("{done}/{total} ({percent}%) {note}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::{Clock, SystemClock};

    #[test]
    fn a_line_comes_first_last_and_now_and_then() {
        let start = SystemClock.monotonic();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(is_due(None, (start, 0), 10));
        assert!(!is_due(Some((start, 3)), (at(60), 3), 10), "nothing new");
        assert!(!is_due(Some((start, 3)), (at(9), 4), 10));
        assert!(is_due(Some((start, 3)), (at(10), 4), 10));
        assert!(is_due(Some((start, 9)), (at(0), 10), 10));
    }

    #[test]
    fn a_line_says_how_far_it_is() {
        assert_eq!(line(5, 10, "R$ 1,00"), "5/10 (50%) R$ 1,00");
        assert_eq!(line(0, 0, ""), "0/0 (100%)");
    }
}
