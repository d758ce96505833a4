//! The book in memory, with the rules of the real one: what a simulation asks. That both have the same rules, `conformance` shows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::FutureExt;
use juscache::domain::cnj::Cnj;
use juscache::ledger::call::Id;
use juscache::postgres_tier::messages::PostgresError;
use juscache::postgres_tier::sync::messages::{
    AddReads, BeginRun, Claim, ClaimLine, Claimant, Claimed, Clean, Day, EndRun, Finish, Lead, Outlook, ReadExpiring,
    ReadOutlook, ReadRuns, ReadStanding, Requested, Resign, Run, Standing, Worker,
};
use juscache::postgres_tier::sync::words::{ClaimRefusal, ClaimState, Trigger};
use juscache::scheduler::book::{Book, Told};
use juscache::scheduler::choice::Candidate;
use juscache::scheduler::reads;

/// What the shared clock shows.
pub(crate) type Time = dyn Fn() -> DateTime<Utc> + Send + Sync;

/// What happens to an answer on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives, after this long.
    Arrives(Duration),
    /// The question never did.
    Unasked,
    /// What was asked was done, and the answer is lost.
    Lost,
}

/// Decides about the next answer.
pub(crate) type Network = dyn Fn() -> Fate + Send + Sync;

#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) valid_until: DateTime<Utc>,
    pub(crate) last_sync: DateTime<Utc>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) watched: bool,
    pub(crate) change_rate: Option<f64>,
    pub(crate) total_movements: u64,
    pub(crate) reads: f64,
    pub(crate) reads_at: Option<DateTime<Utc>>,
    pub(crate) failures: u32,
    pub(crate) next_attempt_at: Option<DateTime<Utc>>,
    pub(crate) claim: Option<Held>,
}

#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) by: Claimant,
    pub(crate) state: ClaimState,
    pub(crate) expiry: DateTime<Utc>,
    pub(crate) at: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    pub(crate) calls: u32,
    class: &'static str,
    worth: f64,
    explanation: String,
}

impl Held {
    pub(crate) fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.state == ClaimState::Refreshing && self.until > now
    }
}

impl Process {
    /// What is left of its reads.
    fn reads_at(&self, now: DateTime<Utc>) -> f64 {
        let since = self.reads_at.map_or(Duration::ZERO, |at| (now - at).to_std().unwrap_or_default());
        reads::decayed(self.reads, since)
    }

    fn candidate(&self, cnj: Cnj, now: DateTime<Utc>) -> Candidate {
        Candidate {
            cnj,
            valid_until: self.valid_until,
            last_sync: self.last_sync,
            change_rate: self.change_rate,
            watched: self.watched,
            reads_per_day: reads::per_day(self.reads_at(now)),
            total_movements: self.total_movements,
            failures: self.failures,
        }
    }
}

#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) processes: BTreeMap<Cnj, Process>,
    pub(crate) holder: Option<(Id, DateTime<Utc>)>,
    pub(crate) epoch: u64,
    pub(crate) next_run_at: Option<DateTime<Utc>>,
    requested_at: Option<DateTime<Utc>>,
    pub(crate) days: BTreeMap<NaiveDate, Day>,
    pub(crate) runs: Vec<Run>,
}

#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) tables: Arc<Mutex<Tables>>,
    pub(crate) time: Arc<Time>,
    network: Arc<Network>,
}

/// São Paulo has no summer time any more.
pub(crate) fn day_of(at: DateTime<Utc>) -> NaiveDate {
    (at - TimeDelta::hours(3)).date_naive()
}

fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap()
}

impl Model {
    pub(crate) fn new(time: Arc<Time>, network: Arc<Network>) -> Self {
        Self { tables: Arc::default(), time, network }
    }

    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        // The database keeps microseconds.
        let now = (self.time)();
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap()
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut Tables, DateTime<Utc>) -> T + Send + 'a,
    ) -> Told<'a, T> {
        let fate = (self.network)();
        async move {
            match fate {
                Fate::Unasked => Err(PostgresError::Away),
                Fate::Lost => {
                    let now = self.now();
                    drop(work(&mut self.tables(), now));
                    Err(PostgresError::TimedOut)
                }
                Fate::Arrives(after) => {
                    // Half of the way there, half of it back.
                    pause(after / 2).await;
                    let now = self.now();
                    let answer = work(&mut self.tables(), now);
                    pause(after / 2).await;
                    Ok(answer)
                }
            }
        }
        .boxed()
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

impl Tables {
    fn leads(&self, node: Id, epoch: u64, now: DateTime<Utc>) -> bool {
        self.epoch == epoch && self.holder.is_some_and(|(holder, until)| holder == node && until > now)
    }

    fn day(&mut self, day: NaiveDate) -> &mut Day {
        self.days.entry(day).or_insert(Day { day, calls: 0, refreshed: 0, unchanged: 0, failed: 0, cost_centavos: 0 })
    }

    fn open(&mut self) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.ended.is_none())
    }

    fn new_run(&mut self, trigger: Trigger, node: Option<Id>, due_at: DateTime<Utc>, started_at: DateTime<Utc>) -> Run {
        let id = u64::try_from(self.runs.len()).unwrap() + 1;
        let run = Run {
            id,
            trigger,
            epoch: self.epoch,
            node,
            adopted: 0,
            due_at,
            started_at,
            ended: None,
            chosen: 0,
            refreshed: 0,
            unchanged: 0,
            failed: 0,
            cleaned: 0,
            calls: 0,
            cost_centavos: 0,
        };
        self.runs.push(run.clone());
        run
    }

    fn begin(&mut self, begin: BeginRun, now: DateTime<Utc>) -> Option<Run> {
        if !self.leads(begin.node, begin.epoch, now) {
            return None;
        }
        if let Some(run) = self.open() {
            run.adopted += u32::from(run.node.is_some() && run.epoch != begin.epoch);
            (run.epoch, run.node) = (begin.epoch, Some(begin.node));
            return Some(run.clone());
        }
        let due_at = self.next_run_at.filter(|due| *due <= now)?;
        let mut next = due_at;
        while next <= now {
            next += span(begin.interval);
        }
        self.next_run_at = Some(next);
        Some(self.new_run(Trigger::Schedule, Some(begin.node), due_at, now))
    }

    fn claim(&mut self, claim: Claim, now: DateTime<Utc>) -> Claimed {
        let Claim { by, choice, lease, daily_limit } = claim;
        let refused = Claimed::Refused;
        if by.run().is_some_and(|(_, epoch)| !self.leads(by.node(), epoch, now)) {
            return refused(ClaimRefusal::StaleEpoch);
        }
        let Some(process) = self.processes.get(&choice.cnj).filter(|process| process.valid_until == choice.valid_until)
        else {
            return refused(ClaimRefusal::Changed);
        };
        if let Some(held) = process.claim.as_ref().filter(|held| held.is_live(now)) {
            let is_the_same = held.by == by && held.expiry == choice.valid_until;
            return if is_the_same { Claimed::Claimed } else { refused(ClaimRefusal::Taken) };
        }
        if process.next_attempt_at.is_some_and(|at| at > now) {
            return refused(ClaimRefusal::BackingOff);
        }
        let until = now + span(lease);
        let mut days = vec![day_of(now), day_of(until)];
        days.dedup();
        let calls = u64::from(choice.calls);
        if days.iter().any(|day| self.day(*day).calls + calls > u64::from(daily_limit)) {
            return refused(ClaimRefusal::DayLimit);
        }
        days.into_iter().for_each(|day| self.day(day).calls += calls);
        if let Claimant::Leader(Worker { run, epoch, .. }) = by {
            let run = self.runs.iter_mut().find(|open| open.id == run && open.epoch == epoch && open.ended.is_none());
            let run = run.expect("an open run of this epoch");
            run.chosen += 1;
            run.calls += calls;
        }
        let process = self.processes.get_mut(&choice.cnj).unwrap();
        process.claim = Some(Held {
            by,
            state: ClaimState::Refreshing,
            expiry: choice.valid_until,
            at: now,
            until,
            calls: choice.calls,
            class: choice.class.as_str(),
            worth: choice.worth,
            explanation: choice.explanation,
        });
        Claimed::Claimed
    }

    fn finish(&mut self, finish: Finish, now: DateTime<Utc>) -> bool {
        let Some(process) = self.processes.get_mut(&finish.cnj) else { return false };
        let Some(held) = process.claim.as_mut().filter(|held| held.by == finish.by) else { return false };
        if held.state != ClaimState::Refreshing {
            return held.state == finish.outcome;
        }
        let given_back = u64::from(held.calls.saturating_sub(finish.calls));
        (held.state, held.calls) = (finish.outcome, finish.calls);
        let mut days = vec![day_of(held.at), day_of(held.until)];
        days.dedup();
        if finish.is_failure {
            process.failures += 1;
        } else if matches!(finish.outcome, ClaimState::Refreshed | ClaimState::Unchanged) {
            process.failures = 0;
        }
        process.next_attempt_at = finish.retry_in.map(|wait| now + span(wait));
        let of_day = days[0];
        days.into_iter().for_each(|day| self.day(day).calls -= given_back);
        let day = self.day(of_day);
        let counted = match finish.outcome {
            ClaimState::Refreshed => Some(&mut day.refreshed),
            ClaimState::Unchanged => Some(&mut day.unchanged),
            ClaimState::Failed | ClaimState::Unknown => Some(&mut day.failed),
            ClaimState::Refreshing | ClaimState::Late => None,
        };
        counted.into_iter().for_each(|count| *count += 1);
        day.cost_centavos += finish.cost_centavos;
        if let Some(run) = finish.by.run().and_then(|(id, _)| self.runs.iter_mut().find(|run| run.id == id)) {
            run.calls -= given_back;
            run.cost_centavos += finish.cost_centavos;
            let counted = match finish.outcome {
                ClaimState::Refreshed => Some(&mut run.refreshed),
                ClaimState::Unchanged => Some(&mut run.unchanged),
                ClaimState::Failed | ClaimState::Unknown => Some(&mut run.failed),
                ClaimState::Refreshing | ClaimState::Late => None,
            };
            counted.into_iter().for_each(|count| *count += 1);
        }
        true
    }

    fn candidates(&self, read: ReadOutlook, now: DateTime<Utc>) -> Vec<Candidate> {
        let since = now - span(read.interest);
        let may = |process: &&Process| {
            process.valid_until <= now + span(read.window)
                && process.claim.as_ref().is_none_or(|held| {
                    !held.is_live(now)
                        && (held.by.run().is_none_or(|(run, _)| run != read.run)
                            || held.state == ClaimState::Refreshing)
                })
                && process.next_attempt_at.is_none_or(|at| at <= now)
                && (process.watched || process.reads_at.is_some_and(|at| at > since) || process.created_at > since)
        };
        let known: Vec<(Cnj, &Process)> =
            self.processes.iter().filter(|(_, process)| may(process)).map(|(cnj, process)| (*cnj, process)).collect();
        let (mut expiring, expired): (Vec<_>, Vec<_>) =
            known.iter().partition(|(_, process)| process.valid_until > now);
        let (mut wanted, mut waiting) = (expired.clone(), expired);
        expiring.sort_by_key(|(_, process)| process.valid_until);
        let worth = |process: &Process| process.change_rate.unwrap_or(0.05) * (0.1 + process.reads_at(now));
        wanted.sort_by(|(_, one), (_, other)| {
            let by_worth = worth(other).total_cmp(&worth(one));
            other.watched.cmp(&one.watched).then(by_worth).then(one.valid_until.cmp(&other.valid_until))
        });
        waiting.sort_by_key(|(_, process)| process.last_sync);
        let slice = usize::try_from(read.slice).unwrap();
        let mut chosen: Vec<_> =
            [expiring, wanted, waiting].into_iter().flat_map(|list| list.into_iter().take(slice)).collect();
        chosen.sort_by_key(|(cnj, process)| (process.valid_until, cnj.masked()));
        chosen.dedup_by_key(|(cnj, _)| *cnj);
        chosen.into_iter().map(|(cnj, process)| process.candidate(cnj, now)).collect()
    }

    fn expiring(&self, read: ReadExpiring, now: DateTime<Utc>) -> Option<Candidate> {
        let process = self.processes.get(&read.cnj)?;
        let may = process.valid_until > now
            && process.valid_until <= now + span(read.within)
            && process.claim.as_ref().is_none_or(|held| !held.is_live(now))
            && process.next_attempt_at.is_none_or(|at| at <= now);
        may.then(|| process.candidate(read.cnj, now))
    }

    fn standing(&mut self, most: u32, now: DateTime<Utc>) -> Standing {
        let current = self.open().cloned();
        let of_run = |held: &&Held| {
            held.by.run().map(|(run, _)| run) == current.as_ref().map(|run| run.id) && held.by.run().is_some()
        };
        let mut claims: Vec<ClaimLine> = self
            .processes
            .iter()
            .filter_map(|(cnj, process)| Some((cnj, process.claim.as_ref().filter(of_run)?)))
            .map(|(cnj, held)| ClaimLine {
                cnj: *cnj,
                class: held.class.to_owned(),
                worth: held.worth,
                explanation: held.explanation.clone(),
                state: held.state,
                claimed_at: held.at,
                calls: held.calls,
            })
            .collect();
        claims.sort_by_key(|line| (std::cmp::Reverse(line.claimed_at), line.cnj.masked()));
        claims.truncate(usize::try_from(most).unwrap());
        Standing {
            now,
            leader: self.holder.filter(|(_, until)| *until > now).map(|(holder, _)| holder),
            epoch: self.epoch,
            next_run_at: self.next_run_at,
            requested_at: self.requested_at,
            today: *self.day(day_of(now)),
            current,
            claims,
            last: self.runs.iter().rev().find(|run| run.ended.is_some()).cloned(),
        }
    }
}

impl Book for Model {
    fn lead(&self, lead: Lead) -> Told<'_, Option<u64>> {
        self.answer(move |tables, now| {
            let live = tables.holder.filter(|(_, until)| *until > now);
            if live.is_some_and(|(holder, _)| holder != lead.node) {
                return None;
            }
            tables.epoch += u64::from(live.is_none());
            tables.holder = Some((lead.node, now + span(lead.lease)));
            let soon = now + span(lead.interval);
            tables.next_run_at = Some(tables.next_run_at.map_or(soon, |at| at.min(soon)));
            Some(tables.epoch)
        })
    }

    fn resign(&self, resign: Resign) -> Told<'_, ()> {
        self.answer(move |tables, _| {
            if tables.epoch == resign.epoch && tables.holder.is_some_and(|(holder, _)| holder == resign.node) {
                tables.holder = None;
            }
        })
    }

    fn begin_run(&self, begin: BeginRun) -> Told<'_, Option<Run>> {
        self.answer(move |tables, now| tables.begin(begin, now))
    }

    fn outlook(&self, read: ReadOutlook) -> Told<'_, Outlook> {
        self.answer(move |tables, now| {
            let calls = tables.day(day_of(now)).calls;
            Outlook { now, calls, candidates: tables.candidates(read, now) }
        })
    }

    fn expiring(&self, read: ReadExpiring) -> Told<'_, Outlook> {
        self.answer(move |tables, now| {
            let calls = tables.day(day_of(now)).calls;
            Outlook { now, calls, candidates: tables.expiring(read, now).into_iter().collect() }
        })
    }

    fn claim(&self, claim: Claim) -> Told<'_, Claimed> {
        self.answer(move |tables, now| tables.claim(claim, now))
    }

    fn finish(&self, finish: Finish) -> Told<'_, bool> {
        self.answer(move |tables, now| tables.finish(finish, now))
    }

    fn end_run(&self, end: EndRun) -> Told<'_, Option<Run>> {
        self.answer(move |tables, now| {
            if !tables.leads(end.by.node, end.by.epoch, now) {
                return None;
            }
            let run = tables.runs.iter_mut().find(|run| run.id == end.by.run && run.epoch == end.by.epoch)?;
            if run.ended.is_none() {
                run.cleaned += end.cleaned;
                run.ended = Some((now, end.ending));
            }
            Some(run.clone())
        })
    }

    fn request_run(&self) -> Told<'_, Requested> {
        self.answer(|tables, now| {
            tables.requested_at = Some(now);
            match tables.open() {
                Some(run) => Requested { run: run.id, joined: true },
                None => Requested { run: tables.new_run(Trigger::Request, None, now, now).id, joined: false },
            }
        })
    }

    fn standing(&self, read: ReadStanding) -> Told<'_, Standing> {
        self.answer(move |tables, now| tables.standing(read.most_claims, now))
    }

    fn runs(&self, read: ReadRuns) -> Told<'_, Vec<Run>> {
        self.answer(move |tables, _| {
            tables.runs.iter().rev().take(usize::try_from(read.most).unwrap()).cloned().collect()
        })
    }

    fn clean(&self, clean: Clean) -> Told<'_, u64> {
        self.answer(move |tables, now| {
            let mut old: Vec<_> = tables
                .processes
                .iter()
                .filter(|(_, process)| !process.watched && process.last_sync < now - span(clean.retention))
                .map(|(cnj, process)| (process.last_sync, *cnj))
                .collect();
            old.sort();
            old.truncate(usize::try_from(clean.most).unwrap());
            old.iter().map(|(_, cnj)| tables.processes.remove(cnj).map_or(0, |_| 1)).sum()
        })
    }

    fn add_reads(&self, add: AddReads) -> Told<'_, ()> {
        self.answer(move |tables, now| {
            for (cnj, count) in add.reads {
                if let Some(process) = tables.processes.get_mut(&cnj) {
                    let since = process.reads_at.map_or(Duration::ZERO, |at| (now - at).to_std().unwrap_or_default());
                    process.reads = reads::decayed(process.reads, since) + f64::from(count);
                    process.reads_at = Some(now);
                }
            }
        })
    }
}
