//! How long it takes until a new movement is known, for three ways to spend the same 200 vendor requests a day.
//!
//! ```text
//! cargo bench --bench freshness                          five seeds, 2,000 processes, 60 days
//! cargo bench --profile dev --bench freshness            the same without a release build
//! cargo bench --bench freshness -- --seeds 7,8 --processes 500 --days 30
//! ```
//!
//! A refresh is one free status request, and two more when there is news. A movement that is unknown at the end counts up to the end.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints its numbers, and one that cannot go on says at which line"
)]

mod policy;
mod run;
mod trace;

use policy::Policy;
use run::{Outcome, Scale, all};

const SEEDS: [u64; 5] = [20_251_103, 1, 2, 3, 4];

fn main() {
    let mut seeds = SEEDS.to_vec();
    let mut scale = Scale { processes: 2_000, days: 60, calls_a_day: 200 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value after the option");
        match word.as_str() {
            "--seeds" => seeds = value().split(',').map(|seed| seed.parse().expect("a seed")).collect(),
            "--processes" => scale.processes = value().parse().expect("a number of processes"),
            "--days" => scale.days = value().parse().expect("a number of days"),
            "--calls" => scale.calls_a_day = value().parse().expect("requests a day"),
            // What cargo says on its own.
            "--bench" => {}
            other => println!("ignored: {other}"),
        }
    }
    println!("{scale:?}; delays in hours");
    for seed in seeds {
        println!("seed {seed}");
        let outcomes = all(seed, scale);
        for outcome in &outcomes {
            line(outcome, &outcomes);
        }
    }
}

fn line(outcome: &Outcome, all: &[Outcome]) {
    let mean = |policy| all.iter().find(|other| other.policy == policy).map_or(f64::NAN, Outcome::mean);
    let shorter = |policy| 100.0 * (1.0 - outcome.mean() / mean(policy));
    println!(
        "  {:<12} calls {:>6}  refreshes {:>6}  movements {:>6}  mean {:>6.1}  median {:>6.1}  p95 {:>7.1}  unknown {:>4}  \
         {:>5.1} % shorter than earlier, {:>5.1} % than round-robin",
        outcome.policy.as_str(),
        outcome.calls,
        outcome.refreshes,
        outcome.delays.len(),
        outcome.mean(),
        outcome.percentile(50),
        outcome.percentile(95),
        outcome.unknown_at_the_end,
        shorter(Policy::Earlier),
        shorter(Policy::RoundRobin),
    );
}
