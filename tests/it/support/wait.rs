//! Waiting for a condition instead of sleeping for a time.

use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Polls `holds` until it says true; panics with `what` once `deadline` has passed. The last poll starts no later than the
/// deadline, and a poll that hangs is cut there too.
pub(crate) async fn eventually(deadline: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let left = deadline.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, holds()).await {
            Ok(true) => return,
            Ok(false) if started.elapsed() < deadline => {}
            Ok(false) | Err(_) => panic!("not within {deadline:?}: {what}"),
        }
        tokio::time::sleep(pause.min(deadline.saturating_sub(started.elapsed()))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The same for code that is not asynchronous; gives the first value found, or `None` when the deadline has passed.
pub(crate) fn poll_for<T>(deadline: Duration, mut find: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(found) = find() {
            return Some(found);
        }
        let left = deadline.checked_sub(started.elapsed())?;
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_condition_that_comes_true_ends_the_wait() {
        let mut polls = 0;
        eventually(Duration::from_secs(5), "three polls", async || {
            polls += 1;
            polls == 3
        })
        .await;
        assert_eq!(polls, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "a poll that hangs")]
    async fn a_poll_that_hangs_is_cut_at_the_deadline() {
        eventually(Duration::from_millis(20), "a poll that hangs", async || std::future::pending().await).await;
    }

    #[tokio::test]
    #[should_panic(expected = "the impossible")]
    async fn a_condition_that_stays_false_fails_by_name() {
        eventually(Duration::from_millis(20), "the impossible", async || false).await;
    }

    #[test]
    fn polling_gives_up_at_its_deadline() {
        assert_eq!(poll_for(Duration::from_millis(20), || None::<u8>), None);
        assert_eq!(poll_for(Duration::ZERO, || Some(1)), Some(1));
    }
}
