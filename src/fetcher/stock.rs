//! Taking stock: in a quiet moment the vendor's balance is laid beside the ledger, and what was presumed is put right by it.
//!
//! ```text
//! quiet here ─► round ─► quiet everywhere ─► books ─► balance ─► round ─► nobody has sent anything ─► close
//! ```
//! The balance tells the truth about the books only if no request was under way anywhere when it was read, and none is missing from the
//! database. Every process that may have such requests is on a list (`ledger_nodes`): from its start until it has signed off, or until
//! somebody has taken over its file and stored it. Each answers the rounds; the same count of requests before and after the balance was
//! read means that none was sent in between. If anything is otherwise, nothing is concluded, and it is tried again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join;
use tokio::sync::watch;
use tokio::time::sleep;

use super::account::Account;
use super::calm::{Calm, Look, Sighting};
use super::desk::Desk;
use super::escavador::Escavador;
use crate::ambient::{SharedClock, SharedRandom};
use crate::domain::snapshot::Provider;
use crate::ledger::Ledger;
use crate::ledger::call::Id;
use crate::ledger::stocktaking::{self, Stock, Verdict};
use crate::postgres_tier::ledger::messages::{
    AccountBooks, Attest, BeginRound, CloseAccount, NodeReport, ReadAccount, ReadNodes, ReadRound, ReleaseNode,
};

/// Whose account it is.
const PROVIDER: Provider = Provider::Escavador;
/// The longest between two looks at whether it is quiet, or whether another process asks.
const LONGEST_TICK: Duration = Duration::from_millis(500);
/// Before a start tries again to reach PostgreSQL, for which it waits; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// How long the others may take to answer a round: a few of their ticks, with PostgreSQL slow.
const ANSWERS_WITHIN: Duration = Duration::from_secs(8);
/// How often it is looked whether they have.
const ANSWERS_TICK: Duration = Duration::from_millis(100);
/// How often a process is heard of at the least; it counts as gone for good after a day.
const HEARD_EVERY: Duration = Duration::from_secs(600);
/// When an account that did not say what it holds is asked again.
const MUTE_FOR: Duration = Duration::from_secs(3_600);
/// How long the vendor may take to tell the balance.
const BALANCE_WITHIN: Duration = Duration::from_secs(10);

/// What stock is taken of, and with.
pub struct StockParts {
    /// What was sent.
    pub ledger: Ledger,
    /// The account with Escavador.
    pub account: Arc<Account>,
    /// Where the books are.
    pub desk: Desk,
    /// Time.
    pub clock: SharedClock,
    /// So that two processes do not disturb each other for ever.
    pub random: SharedRandom,
    /// How long it must have been quiet; zero: stock is never taken here, but others are answered.
    pub balance_after: Duration,
}

/// See the module. One for each service; it outlives the fetcher's generations.
pub struct Stocktaker {
    parts: StockParts,
    calm: Mutex<Calm>,
    opened: watch::Sender<bool>,
    /// Held while it is said to others that we are there.
    has_left: tokio::sync::Mutex<bool>,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// The books are right, as far as can be known.
    Done,
    /// The vendor does not say what the account holds.
    Mute,
    /// Somebody was busy, or could not be asked.
    Disturbed,
}

impl Stocktaker {
    /// To be made after the ledger was opened, before anything is sent.
    #[must_use]
    pub fn new(parts: StockParts) -> Self {
        let StockParts { ledger, clock, balance_after, .. } = &parts;
        // A process whose file was taken over may have been charged for what it sent just before its end.
        let has_inherited = !ledger.released().is_empty() || ledger.pending() > 0;
        let calm = Mutex::new(Calm::new(*balance_after, has_inherited.then(|| clock.monotonic())));
        Self { parts, calm, opened: watch::Sender::new(false), has_left: tokio::sync::Mutex::new(false) }
    }

    /// Waits until the balance is known from which everything is counted, or cannot be known now. What is presumed before that can
    /// never be put right.
    pub async fn opened(&self) {
        let mut opened = self.opened.subscribe();
        // The sender is ours: it does not go away.
        let _opened = opened.wait_for(|opened| *opened).await;
    }

    /// Notes that something happened of which the account does not know: a file was taken over.
    pub(super) fn stir(&self) {
        let now = self.parts.clock.monotonic();
        self.calm.lock().unwrap_or_else(PoisonError::into_inner).stir(now);
    }

    /// Tells the others that we are there, and answers them, for as long as it is polled; takes stock whenever there is something to
    /// find out.
    pub(super) async fn run(&self, escavador: &Escavador) {
        if self.parts.balance_after.is_zero() {
            self.is_not_needed();
        }
        let mut pause = FIRST_PAUSE;
        while self.answer_round(None).await.is_none() {
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(self.tick());
        }
        join(self.attend(), self.watch(escavador)).await;
    }

    /// There is no account to look after.
    pub(super) fn is_not_needed(&self) {
        self.opened.send_replace(true);
    }

    async fn attend(&self) {
        let mut answered = None;
        loop {
            answered = self.answer_round(answered).await.or(answered);
            sleep(self.tick()).await;
        }
    }

    async fn watch(&self, escavador: &Escavador) {
        let StockParts { account, clock, random, balance_after, .. } = &self.parts;
        if balance_after.is_zero() {
            return;
        }
        let mut done: Option<u64> = None;
        let mut not_before = clock.monotonic();
        loop {
            let sighting = self.look();
            let may_ask = account.hold().is_none_or(|(_, left)| left.is_zero());
            let is_due = done != Some(sighting.stirs) && clock.monotonic() >= not_before;
            if sighting.is_quiet && is_due && may_ask {
                let attempt = self.try_to_settle(escavador, sighting).await.unwrap_or(Attempt::Disturbed);
                let pause = match attempt {
                    Attempt::Done => Duration::ZERO,
                    Attempt::Mute => MUTE_FOR,
                    // At the beginning there is nobody to be disturbed, and somebody waits.
                    Attempt::Disturbed if !*self.opened.borrow() => Duration::ZERO,
                    Attempt::Disturbed => balance_after.mul_f64(1.0 + 3.0 * random.fraction()),
                };
                not_before = clock.monotonic().checked_add(pause).unwrap_or(not_before);
                if attempt != Attempt::Disturbed {
                    done = Some(sighting.stirs);
                    self.opened.send_replace(true);
                }
            }
            sleep(self.tick()).await;
        }
    }

    /// The process ends: if nothing of it is left to be stored, the others need not wait for it any more. The account must be closed.
    pub(super) async fn leave(&self) {
        let StockParts { ledger, desk, .. } = &self.parts;
        let mut has_left = self.has_left.lock().await;
        if ledger.open_calls() == 0 && ledger.pending() == 0 {
            *has_left = desk.told(ReleaseNode { node: ledger.node() }).await;
        }
    }

    fn tick(&self) -> Duration {
        match self.parts.balance_after {
            Duration::ZERO => LONGEST_TICK,
            quiet => quiet.min(LONGEST_TICK),
        }
    }

    fn look(&self) -> Sighting {
        let StockParts { ledger, account, clock, .. } = &self.parts;
        let mut calm = self.calm.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = account.sent_so_far();
        let is_busy = ledger.open_calls() > 0 || ledger.pending() > 0;
        calm.see(Look { sent, is_busy, at: clock.monotonic() })
    }

    /// Answers the round that was begun last, unless that was done a short while ago; which and when.
    async fn answer_round(&self, answered: Option<(u64, Instant)>) -> Option<(u64, Instant)> {
        let StockParts { ledger, desk, clock, .. } = &self.parts;
        // Looked at oftener than others ask, so that nothing that happens goes unnoticed for long.
        self.look();
        let round = desk.answer(ReadRound { provider: PROVIDER }).await?;
        let now = clock.monotonic();
        let is_known = |(last, at)| last == round && now.saturating_duration_since(at) < HEARD_EVERY;
        if answered.is_some_and(is_known) {
            return None;
        }
        let has_left = self.has_left.lock().await;
        // After the round was read: what is said is about a moment after it was begun.
        let Sighting { sent, is_quiet, .. } = self.look();
        let report = NodeReport { node: ledger.node(), round, sent, is_quiet };
        (*has_left || desk.told(Attest { report }).await).then_some((round, now))
    }

    /// What all the others say to a round; none when one of them does not answer in time.
    async fn others(&self, round: u64) -> Option<BTreeMap<Id, NodeReport>> {
        let StockParts { ledger, desk, clock, .. } = &self.parts;
        let deadline = desk.within(ANSWERS_WITHIN);
        loop {
            let reports = desk.answer(ReadNodes { but: ledger.node() }).await?;
            if reports.iter().all(|report| report.round >= round) {
                return Some(reports.into_iter().map(|report| (report.node, report)).collect());
            }
            if deadline.is_over(clock.monotonic()) {
                return None;
            }
            sleep(ANSWERS_TICK).await;
        }
    }

    /// None when somebody could not be asked.
    async fn try_to_settle(&self, escavador: &Escavador, quiet: Sighting) -> Option<Attempt> {
        let StockParts { ledger, account, desk, .. } = &self.parts;
        if is_settled(&desk.answer(ReadAccount { provider: PROVIDER }).await?) {
            return Some(Attempt::Done);
        }
        let round = desk.answer(BeginRound { provider: PROVIDER, node: ledger.node() }).await??;
        let before = self.others(round).await?;
        if before.values().any(|report| !report.is_quiet) {
            return None;
        }
        let books = desk.answer(ReadAccount { provider: PROVIDER }).await?;
        // An account that does not say what it holds leaves nothing to compare.
        let Some(balance) = escavador.balance(desk.within(BALANCE_WITHIN)).await.ok()? else {
            return Some(Attempt::Mute);
        };
        account.balance_seen(Some(balance));
        let round = desk.answer(BeginRound { provider: PROVIDER, node: ledger.node() }).await??;
        let after = self.others(round).await?;
        let sent = |reports: BTreeMap<Id, NodeReport>| -> BTreeMap<Id, u64> {
            reports.into_iter().map(|(node, report)| (node, report.sent)).collect()
        };
        if sent(before) != sent(after) {
            return None;
        }
        // One request more than before, and that was ours.
        if account.sent_so_far() != quiet.sent.saturating_add(1) || ledger.open_calls() > 0 {
            return None;
        }
        let close = CloseAccount {
            provider: PROVIDER,
            round,
            balance_centavos: balance,
            booked_centavos: books.booked_centavos,
            uncharged: uncharged(&books, balance),
        };
        desk.answer(close).await?.then_some(Attempt::Done)
    }
}

/// Whether nothing has been booked since the last stock-taking, and nothing is in doubt.
fn is_settled(books: &AccountBooks) -> bool {
    books.presumed.is_empty() && books.base.is_some_and(|base| base.booked_centavos == books.booked_centavos)
}

/// The rows that the balance says were not charged.
fn uncharged(books: &AccountBooks, balance: i64) -> Vec<Id> {
    let now = Stock { balance, booked: books.booked_centavos };
    let base = books.base.map(|base| Stock { balance: base.balance_centavos, booked: base.booked_centavos });
    let verdict = stocktaking::decide(base, now, &books.presumed);
    tracing::debug!(?base, ?now, in_doubt = books.presumed.len(), "stock is taken");
    match verdict {
        Verdict::Uncharged(uncharged) => {
            tracing::info!(rows = uncharged.len(), "the balance says that some requests were not charged");
            uncharged
        }
        Verdict::Unexplained { centavos } => {
            tracing::warn!(centavos, "the vendor's balance and the ledger differ; does somebody else use the account?");
            Vec::new()
        }
        Verdict::NoBase | Verdict::Agrees | Verdict::ToppedUp => Vec::new(),
    }
}
