//! The benchmark of `tests/bench/freshness`, small: news is known sooner than with the earlier implementation's rule.

#[path = "../../bench/freshness/policy.rs"]
mod policy;
#[path = "../../bench/freshness/run.rs"]
mod run;
#[path = "../../bench/freshness/trace.rs"]
mod trace;

use policy::Policy;
use run::{Outcome, Scale, all};

/// 400 processes, 20 days, and as scarce a limit as in the benchmark: a tenth of the processes a day.
#[test]
fn news_is_known_sooner_for_the_same_number_of_requests() {
    let scale = Scale { processes: 400, days: 20, calls_a_day: 40 };
    for seed in [20_251_103, 1] {
        let outcomes = all(seed, scale);
        let of = |policy| outcomes.iter().find(|outcome| outcome.policy == policy).expect("every policy ran");
        let (earlier, robin, learned) = (of(Policy::Earlier), of(Policy::RoundRobin), of(Policy::Learned));
        let told = |outcome: &Outcome| {
            let [median, slow] = [50, 95].map(|percent| outcome.percentile(percent));
            let (calls, refreshes, unknown) = (outcome.calls, outcome.refreshes, outcome.unknown_at_the_end);
            format!(
                "{}: {calls} calls, {refreshes} refreshes, mean {:.1} h, median {median:.1} h, p95 {slow:.1} h, {unknown} unknown",
                outcome.policy.as_str(),
                outcome.mean()
            )
        };
        let told = format!("seed {seed}: {}; {}; {}", told(earlier), told(robin), told(learned));
        assert_eq!(learned.delays.len(), earlier.delays.len(), "{told}");
        assert!(learned.delays.len() > 300, "{told}");
        // Fewer, because a request is left over for a retry at the end of each day.
        assert!(learned.calls <= earlier.calls && learned.calls <= robin.calls, "{told}");
        assert!(learned.mean() <= 0.7 * earlier.mean(), "{told}");
        assert!(learned.mean() <= 0.9 * robin.mean(), "{told}");
    }
}
