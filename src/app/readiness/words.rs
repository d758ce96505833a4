//! What readiness says of vendors and money, and whether that is good. Pure.

use std::time::Duration;

use crate::fetcher::bookkeeping::BudgetSeen;
use crate::fetcher::pace::{Mode, PaceReport};
use crate::fetcher::standing::HoldReason;
use crate::http::state::Health;
use crate::ledger::Condition;
use crate::ledger::report::{BudgetLine, BudgetReport};
use crate::ledger::words::{reais, thousands};
use crate::postgres_tier::ledger::messages::Caps;

/// A state, and the sentence beside it.
pub(super) type Line = (Health, String);

/// A vendor that is configured.
#[derive(Debug, Clone)]
pub(super) struct Vendor {
    /// Where it is.
    pub(super) url: String,
    /// The variable that holds its key.
    pub(super) key: &'static str,
}

/// What its account knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// A client could be made, and no hold was announced.
    pub(super) is_up: bool,
    /// Whether anything was ever sent.
    pub(super) was_asked: bool,
    /// Why nothing is sent, and for how long yet.
    pub(super) hold: Option<(HoldReason, Duration)>,
    /// How fast it is asked.
    pub(super) pace: PaceReport,
}

/// A vendor's line.
pub(super) fn vendor(vendor: &Vendor, known: &Known) -> Line {
    let Vendor { url, key } = vendor;
    match known.hold {
        Some((reason, wait)) => {
            let why = match reason {
                HoldReason::Unauthorized => format!("{url} refuses the key: set {key}"),
                HoldReason::NoCredit => format!("the account at {url} has no credit: top it up"),
                HoldReason::RateLimited => format!("{url} limits our requests"),
                HoldReason::Outage => format!("{url} failed several times in a row"),
            };
            (Health::Degraded, format!("{why}; tried again {}; stored copies are served", soon(wait)))
        }
        None if !known.is_up => (Health::Degraded, format!("no client can be made for {url}; the log says why")),
        None => {
            let answers = if known.was_asked { "answers" } else { "was not asked yet" };
            (Health::Up, format!("{url} {answers}; {}", pace(known.pace)))
        }
    }
}

fn soon(wait: Duration) -> String {
    // Rounded up: nobody should come before it.
    match wait.as_millis().div_ceil(1000) {
        0 => "with the next request".into(),
        seconds => format!("in {seconds} s"),
    }
}

fn pace(report: PaceReport) -> String {
    let PaceReport { mode, nodes, in_flight, in_flight_limit } = report;
    let pace = match (mode, nodes) {
        (Mode::Alone, _) => "pace kept by this node alone".into(),
        (Mode::Shared, 0) => "pace shared over redis".into(),
        (Mode::Shared, 1) => "pace shared, by 1 node now".into(),
        (Mode::Shared, nodes) => format!("pace shared by {nodes} nodes"),
        (Mode::Local, 0) => "redis is away: this node keeps to a newcomer's small share of the pace".into(),
        (Mode::Local, nodes) => format!("redis is away: this node keeps to its own share of the pace, of {nodes}"),
    };
    format!("{pace}; {in_flight} of at most {in_flight_limit} requests under way")
}

/// The caps' line. `price`: what the cheapest purchase may cost, in centavos.
pub(super) fn budget(caps: Caps, seen: BudgetSeen, price: u64) -> Line {
    if caps == Caps::default() {
        return (Health::Off, "no JUSCACHE_BUDGET_DAY or JUSCACHE_BUDGET_MONTH: nothing bounds what is spent".into());
    }
    let BudgetReport { day, month } = match seen {
        BudgetSeen::NotAsked => return (Health::Up, "postgresql was not asked yet what is left".into()),
        BudgetSeen::Away => {
            let what = "postgresql cannot be asked what is left: readers get what this node has set aside, then copies";
            return (Health::Degraded, what.into());
        }
        BudgetSeen::Told(report) => report,
    };
    let periods = [("day", day), ("month", month)];
    let exhausted = |line: &BudgetLine| line.left_centavos.is_some_and(|left| left < price.max(1));
    let left: Vec<String> = periods.iter().filter_map(|(name, line)| left_of(name, line)).collect();
    let left = left.join(", ");
    match periods.iter().rev().find(|(_, line)| exhausted(line)) {
        Some((name, _)) => {
            let what = format!(
                "the cap of the {name} is used up: nothing is bought until the next {name} begins in São Paulo"
            );
            (Health::Degraded, format!("{what}; left: {left}"))
        }
        None => (Health::Up, format!("left: {left}")),
    }
}

fn left_of(name: &str, line: &BudgetLine) -> Option<String> {
    Some(format!("{} of the {name}'s {}", reais(line.left_centavos?), reais(line.cap_centavos?)))
}

/// The ledger's line.
pub(super) fn ledger(condition: Condition) -> Line {
    let Condition { open, pending, is_full, refuses, damaged } = condition;
    let count = |number: usize| thousands(u64::try_from(number).unwrap_or(u64::MAX));
    let mut said = format!("{} requests under way, {} rows wait for postgresql", count(open), count(pending));
    let complaints = [
        (refuses, "its file cannot be written: nothing is bought".to_owned()),
        (is_full, "it is full: nothing is bought until postgresql takes rows".to_owned()),
        (damaged > 0, format!("{} damaged lines were found since the start", thousands(damaged))),
    ];
    let mut state = Health::Up;
    for (_, complaint) in complaints.into_iter().filter(|(is_so, _)| *is_so) {
        state = Health::Degraded;
        said = format!("{complaint}; {said}");
    }
    (state, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: PaceReport = PaceReport { mode: Mode::Shared, nodes: 2, in_flight: 3, in_flight_limit: 64 };

    fn known(hold: Option<(HoldReason, u64)>) -> Known {
        let hold = hold.map(|(reason, millis)| (reason, Duration::from_millis(millis)));
        Known { is_up: hold.is_none(), was_asked: true, hold, pace: PACE }
    }

    fn said(known: &Known) -> Line {
        vendor(&Vendor { url: "https://v".into(), key: "V_KEY" }, known)
    }

    #[test]
    fn a_vendor_that_answers_says_who_keeps_the_pace() {
        let up = |pace| said(&Known { pace, ..known(None) });
        let text = "https://v answers; pace shared by 2 nodes; 3 of at most 64 requests under way";
        assert_eq!(up(PACE), (Health::Up, text.into()));
        for (mode, nodes, words) in [
            (Mode::Alone, 1, "kept by this node alone"),
            (Mode::Shared, 0, "shared over redis"),
            (Mode::Shared, 1, "by 1 node now"),
            (Mode::Local, 0, "a newcomer's small share"),
            (Mode::Local, 3, "its own share of the pace, of 3"),
        ] {
            let (state, text) = up(PaceReport { mode, nodes, ..PACE });
            assert!(state == Health::Up && text.contains(words), "{text}");
        }
        let (state, text) = said(&Known { was_asked: false, ..known(None) });
        assert!(state == Health::Up && text.starts_with("https://v was not asked yet;"), "{text}");
    }

    #[test]
    fn every_hold_says_what_to_do_and_when_it_is_tried_again() {
        for (reason, words) in [
            (HoldReason::Unauthorized, "https://v refuses the key: set V_KEY; tried again in 30 s"),
            (HoldReason::NoCredit, "the account at https://v has no credit: top it up; tried again in 30 s"),
            (HoldReason::RateLimited, "https://v limits our requests; tried again in 30 s"),
            (HoldReason::Outage, "https://v failed several times in a row; tried again in 30 s"),
        ] {
            let (state, text) = said(&known(Some((reason, 29_001))));
            assert_eq!((state, text), (Health::Degraded, format!("{words}; stored copies are served")));
        }
        let (_, due) = said(&known(Some((HoldReason::Outage, 0))));
        assert!(due.contains("tried again with the next request"), "{due}");
    }

    #[test]
    fn a_vendor_without_a_client_is_not_called_up() {
        let (state, text) = said(&Known { is_up: false, ..known(None) });
        assert!(state == Health::Degraded && text.contains("no client"), "{text}");
    }

    fn line(cap: Option<u64>, left: u64) -> BudgetLine {
        BudgetLine { cap_centavos: cap, left_centavos: cap.map(|_| left), ..BudgetLine::default() }
    }

    #[test]
    fn the_caps_say_what_is_left() {
        let caps = Caps { day: Some(1_000), month: Some(20_000) };
        let told =
            |day, month| BudgetSeen::Told(BudgetReport { day: line(caps.day, day), month: line(caps.month, month) });
        assert_eq!(budget(Caps::default(), BudgetSeen::NotAsked, 300).0, Health::Off);
        assert_eq!(budget(caps, BudgetSeen::NotAsked, 300).0, Health::Up);
        assert_eq!(budget(caps, BudgetSeen::Away, 300).0, Health::Degraded);
        let left = "left: R$ 3,00 of the day's R$ 10,00, R$ 150,00 of the month's R$ 200,00";
        assert_eq!(budget(caps, told(300, 15_000), 300), (Health::Up, left.into()));
        for (day, month, period) in [(299, 15_000, "day"), (1_000, 299, "month"), (0, 0, "month")] {
            let (state, text) = budget(caps, told(day, month), 300);
            assert!(state == Health::Degraded && text.starts_with(&format!("the cap of the {period} is")), "{text}");
        }
        assert_eq!(budget(caps, told(0, 15_000), 0).0, Health::Degraded, "whatever it costs");
        let only_day = BudgetSeen::Told(BudgetReport { day: line(caps.day, 500), month: line(None, 0) });
        let day = Caps { month: None, ..caps };
        assert_eq!(budget(day, only_day, 300), (Health::Up, "left: R$ 5,00 of the day's R$ 10,00".into()));
    }

    #[test]
    fn the_ledger_complains_of_what_keeps_it_from_its_work() {
        let usual = Condition { open: 2, pending: 1_234, ..Condition::default() };
        let text = "2 requests under way, 1.234 rows wait for postgresql";
        assert_eq!(ledger(usual), (Health::Up, text.into()));
        for (condition, words) in [
            (Condition { refuses: true, ..usual }, "cannot be written"),
            (Condition { is_full: true, ..usual }, "it is full"),
            (Condition { damaged: 7, ..usual }, "7 damaged lines"),
        ] {
            let (state, said) = ledger(condition);
            assert!(state == Health::Degraded && said.contains(words) && said.ends_with(text), "{said}");
        }
    }
}
