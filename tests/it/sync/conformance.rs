//! What every book does: the same cases for the model, on which the simulation stands, and for PostgreSQL.

use std::time::Duration;

use futures_util::future::join_all;
use juscache::domain::cnj::Cnj;
use juscache::ledger::call::Id;
use juscache::postgres_tier::sync::messages::{
    AddReads, BeginRun, Claim, Claimant, Claimed, Clean, EndRun, Finish, Lead, Outlook, ReadExpiring, ReadOutlook,
    ReadRuns, ReadStanding, Requested, Resign, Run, Worker,
};
use juscache::postgres_tier::sync::words::{ClaimRefusal, ClaimState, Ending, Trigger};
use juscache::scheduler::choice::{Candidate, Choice, Class};

use super::stage::{Memory, Real, Seed, Stage};
use crate::postgres::samples::number;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(15);
const INTERVAL: Duration = Duration::from_secs(1800);
const CLAIM: Duration = Duration::from_secs(100);
const DAY: i64 = 24 * 3600;

const ONE: Id = Id::new(1);
const TWO: Id = Id::new(2);

async fn lead(stage: &dyn Stage, node: Id) -> Option<u64> {
    stage.book().lead(Lead { node, lease: LEASE, interval: INTERVAL }).await.unwrap()
}

async fn begin(stage: &dyn Stage, node: Id, epoch: u64) -> Option<Run> {
    stage.book().begin_run(BeginRun { node, epoch, interval: INTERVAL }).await.unwrap()
}

async fn end(stage: &dyn Stage, by: Worker) -> Option<Run> {
    stage.book().end_run(EndRun { by, ending: Ending::Completed, cleaned: 3 }).await.unwrap()
}

async fn outlook(stage: &dyn Stage, run: u64, slice: u32) -> Outlook {
    let interest = Duration::from_secs(30 * 24 * 3600);
    stage.book().outlook(ReadOutlook { run, window: Duration::from_secs(7200), slice, interest }).await.unwrap()
}

async fn candidates(stage: &dyn Stage, run: u64) -> Vec<Cnj> {
    outlook(stage, run, 100).await.candidates.iter().map(|candidate| candidate.cnj).collect()
}

async fn candidate(stage: &dyn Stage, cnj: Cnj) -> Candidate {
    let found = outlook(stage, 0, 100).await.candidates;
    found.into_iter().find(|candidate| candidate.cnj == cnj).unwrap()
}

/// Chosen as it is now.
async fn choice(stage: &dyn Stage, cnj: Cnj, calls: u32) -> Choice {
    let valid_until = candidate(stage, cnj).await.valid_until;
    Choice { cnj, valid_until, class: Class::Expired, worth: 1.5, calls, explanation: "because".to_owned() }
}

async fn claim(stage: &dyn Stage, by: Worker, choice: &Choice, daily_limit: u32) -> Claimed {
    let by = Claimant::Leader(by);
    stage.book().claim(Claim { by, choice: choice.clone(), lease: CLAIM, daily_limit }).await.unwrap()
}

fn finished(by: Worker, cnj: Cnj, outcome: ClaimState, calls: u32) -> Finish {
    let is_failure = outcome == ClaimState::Failed;
    let by = Claimant::Leader(by);
    Finish { by, cnj, outcome, calls, cost_centavos: 7, is_failure, retry_in: is_failure.then_some(60 * SECOND) }
}

async fn finish(stage: &dyn Stage, finish: Finish) -> bool {
    stage.book().finish(finish).await.unwrap()
}

async fn calls(stage: &dyn Stage) -> u64 {
    stage.book().standing(ReadStanding { most_claims: 9 }).await.unwrap().today.calls
}

/// Node one leads and works on a run that somebody asked for.
async fn working(stage: &dyn Stage) -> Worker {
    let epoch = lead(stage, ONE).await.unwrap();
    stage.book().request_run().await.unwrap();
    Worker { node: ONE, epoch, run: begin(stage, ONE, epoch).await.unwrap().id }
}

async fn one_leads(stage: &dyn Stage) {
    assert_eq!((lead(stage, ONE).await, lead(stage, TWO).await), (Some(1), None));
    stage.passes(14 * SECOND);
    assert_eq!((lead(stage, ONE).await, lead(stage, TWO).await), (Some(1), None), "renewed");
    stage.passes(14 * SECOND);
    assert_eq!(lead(stage, TWO).await, None);
    stage.passes(SECOND);
    assert_eq!(
        (lead(stage, TWO).await, lead(stage, ONE).await),
        (Some(2), None),
        "a dead leader is followed by another"
    );
    stage.passes(LEASE);
    assert_eq!(lead(stage, TWO).await, Some(3), "nobody knows what happened while nobody led");
    stage.book().resign(Resign { node: ONE, epoch: 3 }).await.unwrap();
    stage.book().resign(Resign { node: TWO, epoch: 2 }).await.unwrap();
    assert_eq!(lead(stage, ONE).await, None, "only its own lead can be given up");
    stage.book().resign(Resign { node: TWO, epoch: 3 }).await.unwrap();
    assert_eq!(lead(stage, ONE).await, Some(4));
}

async fn of_many_one_leads(stage: &dyn Stage) {
    let nodes = join_all((1..=8).map(|node| lead(stage, Id::new(node)))).await;
    assert_eq!(nodes.iter().flatten().count(), 1, "{nodes:?}");
}

async fn runs_are_begun_once_adopted_and_never_missed(stage: &dyn Stage) {
    lead(stage, ONE).await.unwrap();
    assert_eq!(begin(stage, ONE, 1).await, None, "the first is an interval away");
    stage.passes(INTERVAL);
    assert_eq!(begin(stage, ONE, 1).await, None, "it leads no more");
    lead(stage, ONE).await.unwrap();
    let first = begin(stage, ONE, 2).await.unwrap();
    assert_eq!((first.trigger, first.epoch, first.node, first.adopted), (Trigger::Schedule, 2, Some(ONE), 0));
    assert_eq!(begin(stage, ONE, 2).await.unwrap(), first, "asked once more, it is the same");
    assert_eq!(begin(stage, TWO, 2).await, None);
    // Its leader dies.
    stage.passes(LEASE);
    let epoch = lead(stage, TWO).await.unwrap();
    let adopted = begin(stage, TWO, epoch).await.unwrap();
    assert_eq!((adopted.id, adopted.adopted, adopted.node), (first.id, 1, Some(TWO)));
    let (old, new) = (Worker { node: ONE, epoch: 2, run: first.id }, Worker { node: TWO, epoch, run: first.id });
    assert_eq!(end(stage, old).await, None, "refused");
    let ended = end(stage, new).await.unwrap();
    assert_eq!((ended.cleaned, ended.ended.unwrap().1), (3, Ending::Completed));
    assert_eq!(end(stage, new).await.unwrap(), ended, "asked once more, it is the same");
    // Nobody is there for three and a half ticks.
    stage.passes(INTERVAL * 7 / 2);
    let epoch = lead(stage, TWO).await.unwrap();
    let late = begin(stage, TWO, epoch).await.unwrap();
    assert_eq!(late.id, first.id + 1);
    assert!((late.due_at - (first.due_at - chrono::TimeDelta::zero())).num_seconds().abs() < 3 * 1800);
    end(stage, Worker { node: TWO, epoch, run: late.id }).await.unwrap();
    assert_eq!(begin(stage, TWO, epoch).await, None, "they are one run");
    let standing = stage.book().standing(ReadStanding { most_claims: 9 }).await.unwrap();
    let beat = (standing.next_run_at.unwrap() - late.due_at).num_seconds();
    assert_eq!(beat % 1800, 0, "{beat}");
    let wait = (standing.next_run_at.unwrap() - standing.now).num_seconds();
    assert!((0..=1800).contains(&wait), "{wait}");
    let runs = stage.book().runs(ReadRuns { most: 1 }).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [late.id]);
}

async fn whoever_asks_opens_a_run_or_joins_it(stage: &dyn Stage) {
    let opened = stage.book().request_run().await.unwrap();
    let joined = stage.book().request_run().await.unwrap();
    assert_eq!((opened.joined, joined), (false, Requested { run: opened.run, joined: true }));
    let epoch = lead(stage, ONE).await.unwrap();
    let run = begin(stage, ONE, epoch).await.unwrap();
    assert_eq!((run.id, run.trigger, run.adopted, run.node), (opened.run, Trigger::Request, 0, Some(ONE)));
    // A tick that falls due meanwhile gets a run of its own.
    stage.passes(INTERVAL);
    let epoch = lead(stage, ONE).await.unwrap();
    assert_eq!(begin(stage, ONE, epoch).await.unwrap().id, run.id);
    end(stage, Worker { node: ONE, epoch, run: run.id }).await.unwrap();
    assert_eq!(begin(stage, ONE, epoch).await.unwrap().trigger, Trigger::Schedule);
}

async fn only_what_is_due_and_of_interest_is_read(stage: &dyn Stage) {
    let seed = Seed::default();
    for (n, seed) in [
        seed,
        Seed { expires_in: 7000, ..seed },
        Seed { expires_in: 8000, ..seed },
        Seed { created_ago: 40 * DAY, ..seed },
        Seed { created_ago: 40 * DAY, watched: true, ..seed },
        Seed { created_ago: 40 * DAY, expires_in: -50, ..seed },
    ]
    .into_iter()
    .enumerate()
    {
        stage.put(number(u32::try_from(n).unwrap()), seed);
    }
    let stranger = number(9);
    stage.book().add_reads(AddReads { reads: vec![(number(5), 2), (number(5), 3), (stranger, 1)] }).await.unwrap();
    let mut found = candidates(stage, 0).await;
    found.sort_by_key(|cnj| cnj.masked());
    let mut expected = [0, 1, 4, 5].map(number);
    expected.sort_by_key(|cnj| cnj.masked());
    assert_eq!(found, expected);
    let read = candidate(stage, number(5)).await;
    assert!((read.reads_per_day - 5.0 * 0.099).abs() < 0.001, "{}", read.reads_per_day);
    stage.passes(Duration::from_secs(7 * 24 * 3600));
    let halved = candidate(stage, number(5)).await;
    assert!((halved.reads_per_day - read.reads_per_day / 2.0).abs() < 0.001, "{}", halved.reads_per_day);
    assert!(candidate(stage, number(4)).await.watched);
    assert_eq!((halved.total_movements, halved.failures, halved.change_rate), (3, 0, None));
}

async fn slices_are_short_and_nobody_is_left_out_of_all(stage: &dyn Stage) {
    for n in 0..12 {
        let wait = i64::from(n) * 100;
        stage.put(number(n), Seed { expires_in: 50 + wait, ..Seed::default() });
        stage.put(number(20 + n), Seed { expires_in: -50 - wait, synced_ago: 10_000 - wait, ..Seed::default() });
    }
    stage.book().add_reads(AddReads { reads: vec![(number(25), 9)] }).await.unwrap();
    let found: Vec<Cnj> = outlook(stage, 0, 1).await.candidates.iter().map(|candidate| candidate.cnj).collect();
    let [soonest, wanted, waiting] = [0, 25, 20].map(number);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!([soonest, wanted, waiting].iter().all(|cnj| found.contains(cnj)), "{found:?}");
}

async fn a_claim_is_for_one_expiry_and_one_leader(stage: &dyn Stage) {
    stage.put(number(0), Seed::default());
    stage.put(number(1), Seed::default());
    let by = working(stage).await;
    let choice = choice(stage, number(0), 5).await;
    for wrong in [Worker { epoch: by.epoch - 1, ..by }, Worker { node: TWO, ..by }] {
        assert_eq!(claim(stage, wrong, &choice, 20).await, Claimed::Refused(ClaimRefusal::StaleEpoch));
    }
    let of_yesterday =
        Choice { valid_until: choice.valid_until - chrono::TimeDelta::microseconds(1), ..choice.clone() };
    assert_eq!(claim(stage, by, &of_yesterday, 20).await, Claimed::Refused(ClaimRefusal::Changed));
    assert_eq!(claim(stage, by, &choice, 4).await, Claimed::Refused(ClaimRefusal::DayLimit));
    assert_eq!(calls(stage).await, 0, "what is refused counts nothing");
    assert_eq!(claim(stage, by, &choice, 5).await, Claimed::Claimed, "it fits exactly");
    assert_eq!(claim(stage, by, &choice, 5).await, Claimed::Claimed, "asked once more, it is the same");
    assert_eq!(calls(stage).await, 5);
    assert_eq!(candidates(stage, by.run).await, [number(1)]);
    let line = stage.book().standing(ReadStanding { most_claims: 9 }).await.unwrap().claims.remove(0);
    assert_eq!((line.cnj, line.state, line.calls), (number(0), ClaimState::Refreshing, 5));
    assert_eq!((line.class.as_str(), line.explanation.as_str()), ("expired", "because"));
    assert!((line.worth - 1.5).abs() < 1e-9);
    // Another leader finds it taken, until its lease ends.
    stage.passes(LEASE);
    let epoch = lead(stage, TWO).await.unwrap();
    begin(stage, TWO, epoch).await.unwrap();
    let other = Worker { node: TWO, epoch, run: by.run };
    let again = Choice { valid_until: choice.valid_until - chrono::TimeDelta::seconds(15), ..choice.clone() };
    let again = if stage.name() == "PostgreSQL" { again } else { choice.clone() };
    assert_eq!(claim(stage, other, &again, 20).await, Claimed::Refused(ClaimRefusal::Taken));
    stage.passes(CLAIM);
    assert!(lead(stage, TWO).await.is_some_and(|epoch| epoch > other.epoch));
}

async fn what_is_not_sent_is_given_back_by_whoever_knows(stage: &dyn Stage) {
    for n in 0..4 {
        stage.put(number(n), Seed::default());
    }
    let by = working(stage).await;
    let [first, second, third] = [0, 1, 2].map(number);
    let (one, two, three) =
        (choice(stage, first, 5).await, choice(stage, second, 5).await, choice(stage, third, 5).await);
    for choice in [&one, &two, &three] {
        assert_eq!(claim(stage, by, choice, 15).await, Claimed::Claimed);
    }
    assert_eq!(calls(stage).await, 15);
    assert!(finish(stage, finished(by, first, ClaimState::Refreshed, 2)).await);
    assert!(finish(stage, finished(by, first, ClaimState::Refreshed, 2)).await, "asked once more, it is the same");
    assert!(!finish(stage, finished(Worker { node: TWO, ..by }, second, ClaimState::Refreshed, 0)).await);
    assert_eq!(calls(stage).await, 12);
    // The lead is lost; what was paid is written down all the same.
    stage.passes(LEASE);
    let epoch = lead(stage, TWO).await.unwrap();
    assert!(finish(stage, finished(by, second, ClaimState::Failed, 4)).await);
    let standing = stage.book().standing(ReadStanding { most_claims: 9 }).await.unwrap();
    let today = standing.today;
    assert_eq!((today.calls, today.refreshed, today.failed, today.cost_centavos), (11, 1, 1, 14));
    let run = standing.current.unwrap();
    assert_eq!((run.chosen, run.refreshed, run.failed, run.calls, run.cost_centavos), (3, 1, 1, 11, 14));
    // The third was its node's last: free again after its lease, and its requests stay counted.
    stage.passes(CLAIM);
    let epoch = lead(stage, TWO).await.unwrap_or(epoch);
    begin(stage, TWO, epoch).await.unwrap();
    let other = Worker { node: TWO, epoch, run: by.run };
    assert_eq!(candidates(stage, by.run).await.len(), 2, "the dead one's, and the one that nobody chose");
    let again = choice(stage, third, 5).await;
    assert_eq!(claim(stage, other, &again, 15).await, Claimed::Refused(ClaimRefusal::DayLimit));
    assert_eq!(claim(stage, other, &again, 16).await, Claimed::Claimed);
    assert!(!finish(stage, finished(by, third, ClaimState::Refreshed, 0)).await, "it is another's by now");
    assert_eq!(calls(stage).await, 16);
    stage.next_day();
    assert_eq!(calls(stage).await, 0);
    let fresh = choice(stage, number(3), 16).await;
    assert_eq!(claim(stage, other, &fresh, 16).await, Claimed::Claimed, "a new day");
}

async fn what_fails_backs_off_and_comes_back(stage: &dyn Stage) {
    stage.put(number(0), Seed::default());
    let by = working(stage).await;
    let chosen = choice(stage, number(0), 1).await;
    claim(stage, by, &chosen, 9).await;
    assert!(finish(stage, finished(by, number(0), ClaimState::Failed, 1)).await);
    assert!(candidates(stage, 0).await.is_empty());
    assert_eq!(claim(stage, by, &chosen, 9).await, Claimed::Refused(ClaimRefusal::BackingOff));
    end(stage, by).await.unwrap();
    stage.passes(60 * SECOND);
    assert_eq!(candidates(stage, by.run).await, [], "not again in the same run");
    assert_eq!(candidate(stage, number(0)).await.failures, 1);
    let by = working(stage).await;
    claim(stage, by, &choice(stage, number(0), 1).await, 9).await;
    assert!(finish(stage, finished(by, number(0), ClaimState::Unchanged, 1)).await);
    assert_eq!(candidate(stage, number(0)).await.failures, 0);
    // It goes while somebody is at it.
    end(stage, by).await.unwrap();
    let by = working(stage).await;
    claim(stage, by, &choice(stage, number(0), 1).await, 9).await;
    let removed = stage.book().clean(Clean { retention: SECOND, most: 9 }).await.unwrap();
    assert_eq!((removed, finish(stage, finished(by, number(0), ClaimState::Unchanged, 0)).await), (1, false));
    assert_eq!(calls(stage).await, 3);
}

async fn of_many_claims_at_once_no_more_than_fit_are_made(stage: &dyn Stage) {
    let mut choices = Vec::new();
    let by = working(stage).await;
    for n in 0..20 {
        stage.put(number(n), Seed::default());
        choices.push(choice(stage, number(n), 3).await);
    }
    let claims =
        join_all(choices.iter().flat_map(|choice| [choice, choice]).map(|choice| claim(stage, by, choice, 20)));
    claims.await;
    assert_eq!(calls(stage).await, 18, "six of three fit into twenty");
    let standing = stage.book().standing(ReadStanding { most_claims: 99 }).await.unwrap();
    assert_eq!((standing.claims.len(), standing.current.unwrap().chosen), (6, 6));
}

async fn the_clean_up_goes_by_small_steps(stage: &dyn Stage) {
    for n in 0..5 {
        stage.put(number(n), Seed { synced_ago: 8 * DAY, watched: n == 0, ..Seed::default() });
    }
    stage.put(number(7), Seed::default());
    let week = Duration::from_secs(7 * 24 * 3600);
    for left in [4, 2, 2] {
        stage.book().clean(Clean { retention: week, most: 2 }).await.unwrap();
        assert_eq!(stage.stored(), left);
    }
}

/// What is about to expire within a minute, and may be refreshed.
async fn expiring(stage: &dyn Stage, cnj: Cnj) -> Option<Candidate> {
    let read = ReadExpiring { cnj, within: 60 * SECOND };
    stage.book().expiring(read).await.unwrap().candidates.pop()
}

async fn what_is_about_to_expire_is_taken_by_any_node_and_by_one(stage: &dyn Stage) {
    let soon = Seed { expires_in: 40, ..Seed::default() };
    for (n, seed) in [soon, Seed { expires_in: 90, ..soon }, Seed { expires_in: -1, ..soon }].into_iter().enumerate() {
        stage.put(number(u32::try_from(n).unwrap()), seed);
    }
    assert!(expiring(stage, number(1)).await.is_none(), "too early");
    assert!(expiring(stage, number(2)).await.is_none(), "too late");
    assert!(expiring(stage, number(9)).await.is_none(), "unknown");
    let by = working(stage).await;
    let found = expiring(stage, number(0)).await.unwrap();
    let chosen = choice(stage, number(0), 5).await;
    assert_eq!((found.valid_until, found.total_movements), (chosen.valid_until, 3));
    let wish = |node, choice: &Choice, daily_limit| {
        let claim = Claim { by: Claimant::Reader(node), choice: choice.clone(), lease: CLAIM, daily_limit };
        async move { stage.book().claim(claim).await.unwrap() }
    };
    let other = Choice { valid_until: chosen.valid_until + chrono::TimeDelta::microseconds(1), ..chosen.clone() };
    assert_eq!(wish(TWO, &other, 20).await, Claimed::Refused(ClaimRefusal::Changed));
    assert_eq!(wish(TWO, &chosen, 4).await, Claimed::Refused(ClaimRefusal::DayLimit));
    // Of many nodes one gets it, which does not lead.
    let nodes: Vec<Id> = (2..=9).map(Id::new).collect();
    let answers = join_all(nodes.iter().map(|node| wish(*node, &chosen, 20))).await;
    assert_eq!(answers.iter().filter(|answer| **answer == Claimed::Claimed).count(), 1, "{answers:?}");
    let winner = nodes[answers.iter().position(|answer| *answer == Claimed::Claimed).unwrap()];
    assert_eq!(wish(winner, &chosen, 20).await, Claimed::Claimed, "asked once more, it is the same");
    assert_eq!(claim(stage, by, &chosen, 20).await, Claimed::Refused(ClaimRefusal::Taken), "not even the leader");
    assert!(expiring(stage, number(0)).await.is_none(), "somebody is at it");
    assert_eq!(calls(stage).await, 5);
    let finished_by =
        |by| Finish { by, ..finished(Worker { node: ONE, epoch: 1, run: 1 }, number(0), ClaimState::Refreshed, 2) };
    assert!(!finish(stage, finished_by(Claimant::Reader(Id::new(99)))).await);
    assert!(!finish(stage, finished_by(Claimant::Leader(by))).await);
    assert!(finish(stage, finished_by(Claimant::Reader(winner))).await);
    assert!(finish(stage, finished_by(Claimant::Reader(winner))).await, "asked once more, it is the same");
    let standing = stage.book().standing(ReadStanding { most_claims: 9 }).await.unwrap();
    assert_eq!((standing.today.calls, standing.today.refreshed, standing.today.cost_centavos), (2, 1, 7));
    let run = standing.current.unwrap();
    assert_eq!((run.chosen, run.calls, run.cost_centavos, standing.claims.len()), (0, 0, 0, 0), "it is no run's");
    // A dead node's claim ends by itself, and the leader may have what the readers' node did not bring back.
    stage.put(number(0), Seed { expires_in: 300, ..soon });
    let chosen = choice(stage, number(0), 5).await;
    assert_eq!(wish(TWO, &chosen, 20).await, Claimed::Claimed);
    stage.passes(CLAIM);
    assert!(candidates(stage, by.run).await.contains(&number(0)));
}

/// Each case on both books.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod model {
            $(#[actix_web::test]
            async fn $case() {
                super::$case(&super::Memory::new()).await;
            })+
        }

        mod postgres {
            $(#[actix_web::test]
            async fn $case() {
                super::$case(&super::Real::new(concat!("sync ", stringify!($case))).await).await;
            })+
        }
    };
}

on_both!(
    one_leads,
    of_many_one_leads,
    runs_are_begun_once_adopted_and_never_missed,
    whoever_asks_opens_a_run_or_joins_it,
    only_what_is_due_and_of_interest_is_read,
    slices_are_short_and_nobody_is_left_out_of_all,
    a_claim_is_for_one_expiry_and_one_leader,
    what_is_not_sent_is_given_back_by_whoever_knows,
    what_fails_backs_off_and_comes_back,
    of_many_claims_at_once_no_more_than_fit_are_made,
    the_clean_up_goes_by_small_steps,
    what_is_about_to_expire_is_taken_by_any_node_and_by_one,
);
