use std::collections::BTreeSet;

use chrono::{TimeDelta, TimeZone};
use proptest::prelude::*;

use super::*;

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 8, 21, 15, 0, 0).unwrap()
}

fn cnj(number: u64) -> Cnj {
    let without_check = u128::from(number) * 10_u128.pow(11) + 20_248_260_100;
    let check = 98 - without_check * 100 % 97;
    Cnj::parse(&format!("{number:07}{check:02}20248260100")).unwrap()
}

/// A process with a lifetime of a day that expired so many minutes ago (negative: will expire).
fn expired(number: u64, minutes: i64) -> Candidate {
    let valid_until = now() - TimeDelta::minutes(minutes);
    Candidate {
        cnj: cnj(number),
        valid_until,
        last_sync: valid_until - TimeDelta::days(1),
        change_rate: Some(0.12),
        watched: false,
        reads_per_day: 1.0,
        total_movements: 40,
        failures: 0,
    }
}

fn numbers(choices: &[Choice]) -> Vec<u64> {
    choices.iter().map(|choice| choice.cnj.digits().get(..7).unwrap().parse().unwrap()).collect()
}

fn chosen(candidates: Vec<Candidate>, calls_left: u32, batch: usize) -> Vec<u64> {
    numbers(&choose(candidates, now(), calls_left, &Rules { batch, ..Rules::default() }))
}

#[test]
fn classes_and_their_order() {
    let candidates = vec![
        expired(1, -3 * HOUR), // beyond the window
        expired(2, 5 * HOUR),
        expired(3, -HOUR),
        expired(4, 3 * DAY), // two lifetimes are over
        expired(5, 2 * DAY),
        expired(6, 0),
    ];
    let choices = choose(candidates, now(), 200, &Rules::default());
    let classes: Vec<_> = choices.iter().map(|choice| choice.class.as_str()).collect();
    assert_eq!(classes, ["waiting", "expiring", "expiring", "expired", "expired"]);
    assert_eq!(numbers(&choices), [4, 6, 3, 5, 2]);
    assert_eq!(choices[0].valid_until, now() - TimeDelta::days(3));
}

#[test]
fn within_a_class_by_worth_and_equals_by_number() {
    let candidates = vec![
        expired(5, HOUR),
        expired(1, HOUR),
        Candidate { reads_per_day: 9.0, ..expired(4, HOUR) },
        Candidate { change_rate: Some(0.5), ..expired(3, HOUR) },
        Candidate { change_rate: Some(0.001), ..expired(2, HOUR) },
    ];
    assert_eq!(chosen(candidates, 200, 10), [4, 3, 1, 5, 2]);
}

#[test]
fn the_limit_is_kept_and_what_does_not_fit_is_passed_over() {
    let large = Candidate { total_movements: 3_000, reads_per_day: 50.0, ..expired(1, HOUR) };
    let candidates = vec![large, expired(2, HOUR), expired(3, HOUR), expired(4, HOUR)];
    assert_eq!(chosen(candidates.clone(), 2, 10), [0_u64; 0]);
    assert_eq!(chosen(candidates.clone(), 3, 10), [2], "without a retry");
    assert_eq!(chosen(candidates.clone(), 8, 10), [2, 3]);
    // Seven pages, a status, a cover and a retry; all have waited as long, so the first place is the first number's.
    assert_eq!(chosen(candidates.clone(), 9, 10), [1]);
    assert_eq!(chosen(candidates.clone(), 10, 10), [1]);
    assert_eq!(chosen(candidates, 22, 10), [1, 2, 3, 4]);
}

#[test]
fn a_place_of_every_batch_goes_to_whoever_has_waited_longest() {
    let hot = (10..40).map(|number| Candidate { reads_per_day: 100.0, ..expired(number, 10 * HOUR) });
    let quiet = Candidate { reads_per_day: 0.0, change_rate: Some(0.001), ..expired(1, 11 * HOUR) };
    let candidates: Vec<_> = hot.chain([quiet]).collect();
    assert!(chosen(candidates.clone(), 200, 10).contains(&1));
    assert!(chosen(candidates.clone(), 200, 2).contains(&1));
    assert!(!chosen(candidates, 200, 1).contains(&1));
}

#[test]
fn one_that_always_fails_does_not_take_the_fair_place_for_ever() {
    let failing = Candidate { failures: 9, reads_per_day: 0.0, ..expired(1, 40 * HOUR) };
    let quiet = Candidate { reads_per_day: 0.0, ..expired(2, 11 * HOUR) };
    let hot = (10..40).map(|number| Candidate { reads_per_day: 100.0, ..expired(number, 10 * HOUR) });
    let found = chosen(hot.chain([failing, quiet]).collect(), 200, 4);
    assert!(found.contains(&2) && !found.contains(&1), "{found:?}");
}

#[test]
fn a_number_offered_twice_is_taken_once() {
    let earlier = Candidate { last_sync: now() - TimeDelta::days(9), ..expired(1, 5 * HOUR) };
    let choices = choose(vec![earlier.clone(), expired(1, HOUR), earlier], now(), 200, &Rules::default());
    assert_eq!(choices.iter().map(|choice| choice.valid_until).collect::<Vec<_>>(), [now() - TimeDelta::hours(1)]);
}

#[test]
fn explanations_are_sentences_for_an_operator() {
    let explanation = |candidate| choose(vec![candidate], now(), 200, &Rules::default())[0].explanation.clone();
    assert_eq!(
        explanation(Candidate { reads_per_day: 2.0, ..expired(1, 3 * HOUR) }),
        "expired 3 h ago; news with 13 % (0.12 changes a business day, 1.1 business days unseen); 2.0 reads a day; \
         expected cost 76 centavos"
    );
    assert_eq!(
        explanation(Candidate { change_rate: None, watched: true, failures: 2, ..expired(1, 4 * DAY) }),
        "waiting, expired 4 days ago; news with 42 % (0.12 changes a business day, presumed, 4.5 business days unseen); \
         2.0 reads a day, watched; expected cost 252 centavos; failed 2 times before"
    );
    assert!(explanation(expired(1, -30)).starts_with("about to expire; news with 11 %"));
    assert!(explanation(expired(1, 30)).starts_with("expired 30 min ago; "));
}

#[test]
fn nobody_and_nothing() {
    assert_eq!(choose(Vec::new(), now(), 200, &Rules::default()), []);
    assert_eq!(chosen(vec![expired(1, HOUR)], 200, 0), [0_u64; 0]);
    let ends = [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC];
    for (valid_until, last_sync) in ends.into_iter().flat_map(|a| ends.map(|b| (a, b))) {
        let _ = choose(vec![Candidate { valid_until, last_sync, ..expired(1, 0) }], now(), 200, &Rules::default());
    }
    let _ = choose(vec![expired(1, HOUR)], now(), 9, &Rules { window: Duration::MAX, ..Rules::default() });
}

/// Rounds in which what is refreshed is fresh for a day again and most are worth far more than a few: those are seen all the same,
/// one in each round, so all of them within as many rounds as there are processes.
#[test]
fn nobody_starves() {
    const PROCESSES: u64 = 60;
    let rules = Rules { batch: 5, ..Rules::default() };
    let mut fleet: Vec<Candidate> = (0..PROCESSES)
        .map(|number| match number % 6 {
            0 => Candidate {
                reads_per_day: 0.0,
                change_rate: Some(0.001),
                total_movements: 9_000,
                ..expired(number, HOUR)
            },
            _ => Candidate { reads_per_day: 500.0, change_rate: Some(0.9), ..expired(number, HOUR) },
        })
        .collect();
    let mut since = vec![0_u64; fleet.len()];
    for round in 1..=400_u32 {
        let at = now() + TimeDelta::hours(6) * i32::try_from(round).unwrap();
        for choice in choose(fleet.clone(), at, 200, &rules) {
            let index = usize::try_from(numbers(std::slice::from_ref(&choice))[0]).unwrap();
            since[index] = u64::from(round);
            fleet[index].last_sync = at;
            fleet[index].valid_until = at + TimeDelta::days(1);
        }
        let longest = since.iter().map(|seen| u64::from(round) - seen).max().unwrap();
        assert!(longest <= PROCESSES, "someone waits for {longest} rounds");
    }
}

prop_compose! {
    fn any_candidate()(
        number in 0_u64..40, overdue in -5 * HOUR..20 * DAY, lifetime in 0..10 * DAY, rate in prop::option::of(0.0..1.5_f64),
        watched: bool, reads_per_day in 0.0..20.0_f64, total_movements in 0_u64..4_000, failures in 0_u32..40,
    ) -> Candidate {
        let plain = expired(number, overdue);
        let last_sync = plain.valid_until - TimeDelta::minutes(lifetime);
        Candidate { change_rate: rate, watched, reads_per_day, total_movements, failures, last_sync, ..plain }
    }
}

proptest! {
    #[test]
    fn a_batch_is_within_its_bounds(
        candidates in prop::collection::vec(any_candidate(), 0..60), calls_left in 0_u32..120, batch in 0_usize..15,
    ) {
        let rules = Rules { batch, ..Rules::default() };
        let choices = choose(candidates.clone(), now(), calls_left, &rules);
        prop_assert!(choices.len() <= batch);
        prop_assert!(choices.iter().map(|choice| choice.calls).sum::<u32>() <= calls_left);
        prop_assert_eq!(choices.iter().map(|choice| choice.cnj).collect::<BTreeSet<_>>().len(), choices.len());
        let window = TimeDelta::from_std(rules.window).unwrap();
        for choice in &choices {
            prop_assert!(choice.valid_until <= now() + window);
            prop_assert!(candidates.iter().any(|other| (other.cnj, other.valid_until) == (choice.cnj, choice.valid_until)));
        }
        prop_assert!(choices.windows(2).all(|pair| pair[0].class.turn() <= pair[1].class.turn()));
        let mut turned = candidates;
        turned.reverse();
        prop_assert_eq!(choices, choose(turned, now(), calls_left, &rules));
    }

    /// As long as one that is due fits, and there is a place, the batch is not left with room for it.
    #[test]
    fn no_place_is_left_empty(candidates in prop::collection::vec(any_candidate(), 1..30), calls_left in 0_u32..120) {
        let rules = Rules { batch: 8, ..Rules::default() };
        let choices = choose(candidates.clone(), now(), calls_left, &rules);
        if choices.len() < rules.batch {
            let left = calls_left - choices.iter().map(|choice| choice.calls).sum::<u32>();
            let taken: BTreeSet<_> = choices.iter().map(|choice| choice.cnj).collect();
            let until = now() + TimeDelta::from_std(rules.window).unwrap();
            // One that is offered twice is judged by what is known last.
            let mut last: std::collections::BTreeMap<Cnj, Candidate> = std::collections::BTreeMap::new();
            for candidate in candidates {
                let known = last.get(&candidate.cnj).is_some_and(|other| knows(other).cmp(&knows(&candidate)).is_ge());
                if !known {
                    last.insert(candidate.cnj, candidate);
                }
            }
            for candidate in last.into_values().filter(|candidate| candidate.valid_until <= until && !taken.contains(&candidate.cnj)) {
                prop_assert!(Outlook::of(&candidate, now(), &rules).calls > left);
            }
        }
    }
}
