//! Three real processes, one PostgreSQL, no Redis, and a vendor that takes its time: the leader is killed, the leader is frozen, a cycle is
//! asked for, and the day's limit is reached.

use reqwest::Method;

use super::fleet::{BATCH, Fleet, LIMIT, PROCESSES};

/// A few for a cycle that is asked for: three batches, so that somebody can join it.
const FEW: usize = 8;
/// Attempts to ask while no cycle happens to be due.
const ATTEMPTS: usize = 5;

#[actix_web::test]
async fn three_processes_lose_no_cycle_buy_nothing_twice_and_keep_the_limit() {
    let mut fleet = Fleet::start().await;
    fleet.learn().await;
    fleet.agree().await;
    killed(&mut fleet).await;
    frozen(&mut fleet).await;
    asked(&mut fleet).await;
    limited(&mut fleet).await;
    fleet.no_cycle_is_missing();
    fleet.stop().await;
}

/// SIGKILL in the middle of a cycle.
async fn killed(fleet: &mut Fleet) {
    fleet.expire(PROCESSES);
    let (victim, run, epoch) = fleet.in_the_middle().await;
    fleet.nodes[victim].kill9();
    fleet.deaf = Some(victim);
    let bought_by_the_dead = fleet.tally().by_node(victim);
    fleet.until("the run's end", |fleet| fleet.ended(run)).await;
    fleet.was_adopted(run, epoch);
    let orphans = fleet.column("SELECT cnj FROM process_sync WHERE state = 'refreshing'");
    assert!(orphans.len() <= BATCH, "what it had in hand: {orphans:?}");
    let tally = fleet.tally();
    tally.each_once_but(&fleet.numbers, &orphans);

    // Until their claims end they are left alone, also by the dead node when it is back.
    fleet.revive(victim).await;
    let next = fleet.newest_run();
    fleet.until("another cycle", |fleet| fleet.ended(next + 1)).await;
    assert_eq!(fleet.tally(), tally, "nothing is asked for again while the dead node's claims last");
    fleet.execute("UPDATE process_sync SET claimed_until = now() WHERE state = 'refreshing'");
    fleet.until("the dead node's processes are fresh", |fleet| fleet.stale() == 0).await;
    fleet.agree().await;
    let again = fleet.tally().more_than_once();
    assert!(again.iter().all(|cnj| orphans.contains(cnj)), "{again:?} of {orphans:?}");
    fleet.tell(&format!(
        "killed node {victim}: it had asked for {bought_by_the_dead}; {} left behind, {} asked for twice",
        orphans.len(),
        again.len()
    ));
}

/// SIGSTOP for longer than the lease, and back.
async fn frozen(fleet: &mut Fleet) {
    fleet.expire(PROCESSES);
    let (victim, run, epoch) = fleet.in_the_middle().await;
    fleet.nodes[victim].pause();
    fleet.deaf = Some(victim);
    let theirs = fleet.tally().by_node(victim);
    // Its lease is over by then, and others are well into its run.
    fleet.until("others go on", |fleet| fleet.tally().numbers() >= theirs + 2 * BATCH).await;
    let claims = format!("SELECT count(*) FROM process_sync WHERE run = {run} AND epoch = {epoch}");
    let claimed = fleet.number(&claims);
    fleet.nodes[victim].resume();
    fleet.deaf = None;
    fleet.until("the run's end, and everything is fresh", |fleet| fleet.ended(run) && fleet.stale() == 0).await;
    fleet.was_adopted(run, epoch);
    assert_eq!(fleet.number(&claims), claimed, "it takes nothing more when it wakes up");
    fleet.until("everything is written down", |fleet| fleet.claimed() == 0).await;
    fleet.tally().each_once_but(&fleet.numbers, &[]);
    fleet.agree().await;
    fleet.tell(&format!("frozen node {victim}: {theirs} asked for before, {claimed} claims, none after"));
}

/// Whoever asks any node gets a run, and whoever else asks joins it.
async fn asked(fleet: &mut Fleet) {
    for attempt in 1.. {
        let leader = fleet.leader().await.expect("somebody leads");
        let follower = (leader + 1) % fleet.nodes.len();
        fleet.pause_between_cycles().await;
        fleet.expire(FEW);
        let first = fleet.ask(Method::POST, follower).await;
        let mut others = Vec::new();
        for node in 0..fleet.nodes.len() {
            others.push(fleet.ask(Method::POST, node).await);
        }
        assert!(first.status == 202 && others.iter().all(|answer| answer.status == 202), "{first:?} {others:?}");
        let run = first.body["run"].as_i64().expect("a run");
        fleet.until("what was expired is fresh", |fleet| fleet.stale() == 0 && fleet.ended(run)).await;
        let joined = others.iter().all(|answer| answer.body["joined"] == true && answer.body["run"] == run);
        fleet.tally().each_once_but(&fleet.numbers[..FEW], &[]);
        if first.body["joined"] == false && joined {
            let row = fleet.number(&format!("SELECT chosen FROM sync_runs WHERE id = {run} AND trigger = 'request'"));
            assert_eq!(usize::try_from(row).ok(), Some(FEW));
            fleet.tell(&format!("asked: attempt {attempt}, run {run} of node {follower}, joined on all nodes"));
            return;
        }
        assert!(attempt < ATTEMPTS, "a cycle was under way whenever somebody asked");
    }
}

/// More is due than the day allows.
async fn limited(fleet: &mut Fleet) {
    let is_over = "SELECT count(*) FROM sync_runs WHERE ending = 'day-limit'";
    // Once is enough, but at midnight there is a whole limit more.
    for _ in 0..4 {
        fleet.expire(PROCESSES);
        fleet.until("a cycle's end", |fleet| fleet.stale() == 0 || fleet.number(is_over) > 0).await;
        if fleet.number(is_over) > 0 {
            break;
        }
    }
    fleet.until("nothing is under way", |fleet| fleet.in_flight() == 0).await;
    fleet.tally().each_at_most_once();
    let refreshed = fleet.tally().numbers();
    assert!(refreshed < PROCESSES && fleet.stale() > 0, "{refreshed} refreshed: the limit does not bind");
    let spent = fleet.requests();
    for node in 0..fleet.nodes.len() {
        let answer = fleet.ask(Method::POST, node).await;
        let run = answer.body["run"].as_i64().expect("a run");
        fleet.until("a cycle without a limit's worth", |fleet| fleet.ended(run)).await;
        let today = fleet.status(node).await["today"].clone();
        let calls = today["calls"].as_i64().expect("calls");
        // A refresh sets aside four: less than that is left.
        assert!((LIMIT - 4..=LIMIT).contains(&calls) && today["limit"] == LIMIT, "{today}");
    }
    assert_eq!(fleet.requests(), spent, "the day is over");
    fleet.tell(&format!("limited: {refreshed} of {PROCESSES} refreshed, {} left expired", fleet.stale()));
}
