//! Money that is set aside before it is spent: the caps hold whoever asks, and nothing set aside is lost. And money that may not have
//! been spent, until the vendor's balance tells.

use std::time::Duration;

use chrono::Utc;
use futures_util::future::{join, join_all, join4};
use juscache::domain::snapshot::Provider;
use juscache::ledger::call::{Call, Draw, Id};
use juscache::ledger::report::Days;
use juscache::postgres_tier::ledger::messages::{
    AccountBooks, BalanceBase, Caps, CloseAccount, Period, ReadAccount, ReadBudget, ReadLedger, Release, ReleaseNode,
    Reserve, Reserved,
};
use juscache::postgres_tier::messages::PostgresError;
use tokio_postgres::NoTls;

use super::ledger::{Books, NODE, OTHER, at, call, drawing, presumed};
use super::samples::{Tier, soon};

fn day_cap(centavos: u64) -> Caps {
    Caps { day: Some(centavos), month: None }
}

fn reserve(id: u128, centavos: u64, caps: Caps) -> Reserve {
    Reserve { node: NODE, wanted: vec![draw(id, centavos)], caps }
}

fn draw(id: u128, centavos: u64) -> Draw {
    Draw { reservation: Id::new(id), centavos }
}

fn is_granted(reserved: Reserved) -> bool {
    matches!(reserved, Reserved::Granted { .. })
}

impl Books {
    async fn reserve(&self, id: u128, centavos: u64, caps: Caps) -> bool {
        is_granted(self.tier.ask(reserve(id, centavos, caps)).await)
    }

    /// Spent and reserved today; this month is the same in these tests.
    fn now(&self) -> String {
        let today = self.today();
        let (day, month) = (self.period(&today.to_string()), self.period(&today.format("%Y-%m").to_string()));
        assert_eq!(day, month);
        day
    }

    /// What is left of the reservations, by id.
    fn reservations(&self) -> String {
        self.text("SELECT ltrim(id, '0'), centavos FROM budget_reservations ORDER BY id")
    }
}

#[actix_web::test]
async fn nodes_that_ask_at_once_never_exceed_a_cap() {
    let books = Books::new("caps").await;
    let nodes = [Tier::on(&books.database.url).await, Tier::on(&books.database.url).await];
    let nodes = [&books.tier, &nodes[0], &nodes[1]];
    for (round, caps) in [day_cap(500), Caps { day: None, month: Some(1_000) }].into_iter().enumerate() {
        let asked = nodes.iter().zip([1_000, 2_000, 3_000]).flat_map(|(node, first)| {
            let first = first + u128::try_from(round).unwrap() * 10_000;
            (0..60).map(move |n| node.ask(reserve(first + n, 7, caps)))
        });
        let granted = join_all(asked).await.into_iter().filter(|reserved| is_granted(*reserved)).count();
        // Of the second cap the first round has taken 497.
        assert_eq!(granted, 71);
        assert_eq!(books.now(), format!("0 {}", 497 * (round + 1)));
        books.assert_exact();
    }
    assert!(!books.reserve(1, 7, Caps { day: None, month: Some(1_000) }).await);
    assert!(books.reserve(1, 6, Caps { day: None, month: Some(1_000) }).await);
}

#[actix_web::test]
async fn the_period_that_is_used_up_is_named_with_its_end() {
    let books = Books::new("ends").await;
    let (cap, none) = (Some(10), None);
    let to_midnight = || {
        let sql = "SELECT floor(extract(epoch FROM ((now() AT TIME ZONE 'America/Sao_Paulo')::date + 1)::timestamp
                                                   AT TIME ZONE 'America/Sao_Paulo' - now()))";
        Duration::from_secs(books.text(sql).parse().unwrap())
    };
    let is_near = |ends_in: Duration, expected: Duration| ends_in.abs_diff(expected) < Duration::from_secs(30);
    for (id, caps, expected) in [
        (1, Caps { day: cap, month: cap }, None),
        (2, Caps { day: cap, month: none }, Some(Period::Day)),
        (3, Caps { day: none, month: cap }, Some(Period::Month)),
        (4, Caps { day: cap, month: cap }, Some(Period::Month)),
        (5, Caps { day: cap, month: Some(11) }, Some(Period::Day)),
        (6, Caps { day: Some(u64::MAX), month: Some(u64::MAX) }, None),
        (7, Caps { day: Some(0), month: none }, Some(Period::Day)),
        (8, Caps::default(), None),
    ] {
        // The first takes all ten.
        let reserved = books.tier.ask(reserve(id, if id == 1 { 10 } else { 1 }, caps)).await;
        let (period, ends_in) = match reserved {
            Reserved::Granted { ends_in } => (None, ends_in),
            Reserved::Exhausted { period, ends_in } => (Some(period), ends_in),
        };
        assert_eq!(period, expected, "{caps:?}");
        if period == Some(Period::Month) {
            let days = "SELECT (date_trunc('month', d) + interval '1 month')::date - d::date - 1
                        FROM (SELECT now() AT TIME ZONE 'America/Sao_Paulo') AS now (d)";
            let days: u64 = books.text(days).parse().unwrap();
            assert!(is_near(ends_in, to_midnight() + Duration::from_secs(days * 86_400)), "{ends_in:?}");
        } else {
            assert!(is_near(ends_in, to_midnight()), "{ends_in:?}");
        }
    }
    let budget = books.tier.ask(ReadBudget { caps: Caps { day: cap, month: Some(20) } }).await;
    assert_eq!(
        (budget.day.reserved_centavos, budget.day.left_centavos, budget.month.left_centavos),
        (12, Some(0), Some(8))
    );
    books.assert_exact();
}

#[actix_web::test]
async fn a_repeated_question_sets_aside_once() {
    let books = Books::new("repeated").await;
    let second = Tier::on(&books.database.url).await;
    let asked = (0..12).map(|n| [&books.tier, &second][n % 2].ask(reserve(1, 10, day_cap(10))));
    assert!(join_all(asked).await.into_iter().all(is_granted));
    assert_eq!((books.reservations(), books.now()), ("1 10".to_owned(), "0 10".to_owned()));
    assert!(!books.reserve(2, 1, day_cap(10)).await);
    assert!(books.reserve(3, 0, day_cap(10)).await, "nothing is always to be had");
    assert_eq!(books.reservations(), "1 10");
    books.assert_exact();
}

/// A cover whose movements cannot be paid is money lost.
#[actix_web::test]
async fn for_two_there_is_money_for_both_or_for_neither() {
    let books = Books::new("both").await;
    let both = async |first: (u128, u64), second: (u128, u64)| {
        let wanted = vec![draw(first.0, first.1), draw(second.0, second.1)];
        is_granted(books.tier.ask(Reserve { wanted, ..reserve(0, 0, day_cap(100)) }).await)
    };
    assert!(both((1, 30), (2, 20)).await);
    assert!(both((1, 30), (2, 20)).await, "asked again, it is there");
    for (first, second) in [(40, 11), (51, 10), (10, 51), (60, 60)] {
        assert!(!both((3, first), (4, second)).await, "{first} {second}");
        assert_eq!((books.reservations().as_str(), books.now().as_str()), ("1 30 2 20", "0 50"));
    }
    assert!(both((3, 25), (4, 25)).await);
    books.assert_exact();
}

#[actix_web::test]
async fn what_is_given_back_can_be_had_again() {
    let books = Books::new("release").await;
    for (id, centavos) in [(1, 10), (2, 20), (3, 30)] {
        assert!(books.reserve(id, centavos, day_cap(100)).await);
    }
    let theirs = Reserve { node: OTHER, ..reserve(4, 40, day_cap(100)) };
    assert!(is_granted(books.tier.ask(theirs).await));
    assert!(!books.reserve(5, 1, day_cap(100)).await);

    let release = Release { reservations: [1, 1, 3, 99].map(Id::new).to_vec() };
    for _ in 0..2 {
        books.tier.ask(release.clone()).await;
        assert_eq!((books.reservations(), books.now()), ("2 20 4 40".to_owned(), "0 60".to_owned()));
    }
    books.tier.ask(Release { reservations: vec![] }).await;
    // Only what is left goes back: the rest is spent.
    books.tier.store_calls(NODE, &[drawing(call(1, Utc::now(), 5), Id::new(2), 8)]).await;
    assert_eq!(books.now(), "5 52");
    for _ in 0..2 {
        books.tier.ask(ReleaseNode { node: NODE }).await;
        assert_eq!((books.reservations(), books.now()), ("4 40".to_owned(), "5 40".to_owned()));
    }
    books.assert_exact();
}

#[actix_web::test]
async fn a_row_takes_what_was_set_aside_and_spends_what_it_cost() {
    let books = Books::new("settle").await;
    let now = Utc::now();
    for id in 1..=4 {
        books.reserve(id, 100, Caps::default()).await;
    }
    let drawn = |n, reservation, draw, cost| drawing(call(n, now, cost), Id::new(reservation), draw);
    let steps = [
        // Cheaper than expected, all of the reservation drawn.
        (vec![drawn(1, 1, 100, 30)], "2 100 3 100 4 100", "30 300"),
        // Dearer than expected.
        (vec![drawn(2, 2, 100, 250)], "3 100 4 100", "280 200"),
        // A local reserve: several requests draw on it, the last one more than is left.
        (vec![drawn(3, 3, 40, 40), drawn(4, 3, 40, 10)], "3 20 4 100", "330 120"),
        (vec![drawn(5, 3, 40, 7)], "4 100", "337 100"),
        // Free after all, and one that drew nothing.
        (vec![drawn(6, 4, 60, 0), drawn(7, 4, 0, 3)], "4 40", "340 40"),
        // Repeated, and in one batch with one that is new.
        (vec![drawn(6, 4, 60, 0), drawn(8, 4, 10, 1)], "4 30", "341 30"),
        // Its reservation is gone.
        (vec![drawn(9, 1, 100, 2)], "4 30", "343 30"),
    ];
    for (calls, reservations, sums) in steps {
        books.tier.store_calls(NODE, &calls).await;
        assert_eq!((books.reservations().as_str(), books.now().as_str()), (reservations, sums), "{calls:?}");
        books.assert_exact();
    }
}

#[actix_web::test]
async fn what_was_set_aside_yesterday_is_spent_yesterday() {
    let books = Books::new("yesterday").await;
    books.reserve(1, 50, day_cap(50)).await;
    // As if it had been made on the last day of January.
    books.execute(
        "UPDATE budget_reservations SET day = '2026-01-31';
         UPDATE budget_periods SET reserved_centavos = 0;
         INSERT INTO budget_periods VALUES ('2026-01', 0, 50), ('2026-01-31', 0, 50)",
    );
    books.assert_exact();
    assert!(books.reserve(2, 50, day_cap(50)).await, "today's cap is untouched");
    let february = at("2026-02-01T12:00:00Z");
    books.tier.store_calls(NODE, &[drawing(call(1, february, 20), Id::new(1), 40), call(2, february, 3)]).await;
    assert_eq!((books.period("2026-01"), books.period("2026-01-31")), ("20 10".to_owned(), "20 10".to_owned()));
    assert_eq!((books.period("2026-02"), books.period("2026-02-01")), ("3 0".to_owned(), "3 0".to_owned()));
    books.assert_exact();
    // Asked again after midnight: it is there, and its day is over.
    let again = books.tier.ask(reserve(1, 50, day_cap(50))).await;
    assert_eq!(again, Reserved::Granted { ends_in: Duration::ZERO });
    books.tier.ask(Release { reservations: vec![Id::new(1)] }).await;
    assert_eq!(books.period("2026-01-31"), "20 0");
    books.tier.store_calls(NODE, &[drawing(call(3, february, 1), Id::new(1), 5)]).await;
    assert_eq!(books.period("2026-02-01"), "4 0");
    assert_eq!(books.now(), "0 50");
    books.assert_exact();
}

#[actix_web::test]
async fn an_account_is_closed_with_what_the_balance_tells() {
    let books = Books::new("account").await;
    let early = at("2026-01-31T12:00:00Z");
    let late = at("2026-02-01T12:00:00Z");
    let mut elsewhere = presumed(9, late, 50);
    elsewhere.sent.provider = Provider::Datajud;
    let calls = [call(1, early, 100), presumed(2, early, 20), presumed(3, late, 30), presumed(4, late, 40), elsewhere];
    books.tier.store_calls(NODE, &calls).await;
    let read = books.account().await;
    let expected = vec![(Id::new(3), 30), (Id::new(4), 40), (Id::new(2), 20)];
    assert_eq!(read, AccountBooks { booked_centavos: 190, presumed: expected, base: None });

    let close = CloseAccount {
        provider: Provider::Escavador,
        round: 0,
        balance_centavos: -7,
        booked_centavos: read.booked_centavos,
        // One that is charged, one that nobody knows, and one twice: only what is presumed is forgiven, and once.
        uncharged: [2, 3, 3, 1, 12_345, 9].map(Id::new).to_vec(),
    };
    books.tier.store_calls(NODE, &[presumed(5, late, 1)]).await;
    let before = books.text("SELECT * FROM api_calls ORDER BY id");
    assert!(!books.tier.ask(close.clone()).await, "the ledger had changed");
    assert_eq!(books.text("SELECT * FROM api_calls ORDER BY id"), before);
    assert_eq!(books.account().await.base, None);

    assert!(books.tier.ask(CloseAccount { booked_centavos: 191, ..close.clone() }).await);
    let rows = books.text("SELECT right(id, 1), cost_centavos, cost_basis FROM api_calls ORDER BY id");
    assert_eq!(rows, "1 100 charged 2 0 reconciled 3 0 reconciled 4 40 reconciled 5 1 reconciled 9 50 presumed");
    assert_eq!((books.period("2026-01"), books.period("2026-01-31")), ("100 0".to_owned(), "100 0".to_owned()));
    assert_eq!((books.period("2026-02"), books.period("2026-02-01")), ("91 0".to_owned(), "91 0".to_owned()));
    let base = Some(BalanceBase { balance_centavos: -7, booked_centavos: 141 });
    assert_eq!(books.account().await, AccountBooks { booked_centavos: 141, presumed: vec![], base });
    books.assert_exact();

    // Repeated, as after a lost answer: the total is another now, so nothing happens.
    assert!(!books.tier.ask(CloseAccount { booked_centavos: 191, ..close.clone() }).await);
    // A row that is stored again keeps what was found out about it.
    books.tier.store_calls(OTHER, &calls).await;
    assert_eq!(books.account().await.booked_centavos, 141);
    let again = CloseAccount { balance_centavos: 900, booked_centavos: 141, uncharged: vec![], ..close };
    assert!(books.tier.ask(again).await);
    assert_eq!(books.account().await.base, Some(BalanceBase { balance_centavos: 900, booked_centavos: 141 }));
    books.assert_exact();
}

#[actix_web::test]
async fn an_account_that_was_never_used_can_be_closed() {
    let books = Books::new("unused").await;
    let close = CloseAccount {
        provider: Provider::Escavador,
        round: 0,
        balance_centavos: 5,
        booked_centavos: 0,
        uncharged: vec![],
    };
    assert!(!books.tier.ask(CloseAccount { booked_centavos: 1, ..close.clone() }).await);
    assert!(books.tier.ask(close).await);
    let base = Some(BalanceBase { balance_centavos: 5, booked_centavos: 0 });
    assert_eq!(books.account().await, AccountBooks { booked_centavos: 0, presumed: vec![], base });
}

#[actix_web::test]
async fn rows_that_arrive_while_an_account_is_closed_are_in_it_or_make_it_fail() {
    let books = Books::new("closing").await;
    let now = Utc::now();
    let second = Tier::on(&books.database.url).await;
    let mut closed = 0;
    for round in 0..30_u32 {
        let read = books.account().await;
        let close = CloseAccount {
            provider: Provider::Escavador,
            round: 0,
            balance_centavos: 0,
            booked_centavos: read.booked_centavos,
            uncharged: read.presumed.iter().take(3).map(|(id, _)| *id).collect(),
        };
        let calls: Vec<Call> = (0..10).map(|n| presumed(u128::from(round * 100 + n), now, 4)).collect();
        let (answer, ()) = join(books.tier.ask(close), second.store_calls(OTHER, &calls)).await;
        books.assert_exact();
        let after = books.account().await;
        // Either everything that was presumed is settled and the new rows are not, or all of it still is.
        let expected = if answer { 10 } else { read.presumed.len() + 10 };
        assert_eq!(after.presumed.len(), expected, "round {round}, closed: {answer}");
        closed += u32::from(answer);
    }
    assert!(closed > 0);
}

/// Everything that takes locks at once, over two months, from three nodes: none is refused, as a deadlock would be.
#[actix_web::test]
async fn everything_at_once_ends_with_exact_sums() {
    let books = Books::new("everything").await;
    let others = [Tier::on(&books.database.url).await, Tier::on(&books.database.url).await];
    let nodes = [&books.tier, &others[0], &others[1]];
    let moments = ["2026-01-31T12:00:00Z", "2026-02-01T12:00:00Z", "2026-02-02T12:00:00Z"].map(at);
    let provider = Provider::Escavador;
    for round in 0..8_u128 {
        let work = nodes.iter().zip(0_u128..).map(|(node, place)| async move {
            let base = round * 10_000 + place * 1_000;
            let node_id = Id::new(place);
            let reserves = join_all((0..20).map(|n| {
                let wanted = vec![draw(base + n, 3 + u64::try_from(n).unwrap())];
                node.ask(Reserve { node: node_id, wanted, caps: Caps::default() })
            }));
            reserves.await;
            // Moments in a different order on every node, half of the rows of a neighbour too.
            let calls: Vec<Call> = (0..60)
                .map(|n| {
                    let id = if n % 2 == 0 { base + n } else { round * 10_000 + 500 + n };
                    let moment = moments[usize::try_from((n + place) % 3).unwrap()];
                    let call = if n % 5 == 0 { presumed(id, moment, 4) } else { call(id, moment, 2) };
                    if n < 40 { drawing(call, Id::new(base + n / 2), 2) } else { call }
                })
                .collect();
            let stores = join_all(calls.chunks(7).map(|calls| node.store_calls(node_id, calls)));
            let release = Release { reservations: (0..10).map(|n| Id::new(base + n)).collect() };
            let close = async {
                let read = node.ask(ReadAccount { provider }).await;
                let uncharged = read.presumed.iter().step_by(2).map(|(id, _)| *id).collect();
                let booked_centavos = read.booked_centavos;
                node.ask(CloseAccount { provider, round: 0, balance_centavos: 0, booked_centavos, uncharged }).await
            };
            let wanted = vec![draw(base + 999, 5)];
            let more = node.ask(Reserve { node: node_id, wanted, caps: Caps::default() });
            join4(stores, node.ask(release), close, more).await;
        });
        join_all(work).await;
        books.assert_exact();
    }
    let count = books.text("SELECT count(*) FROM api_calls");
    // On each node 30 of its own in each round, and 30 that all share.
    assert_eq!(count, (8 * (3 * 30 + 30)).to_string());
    join_all((0_u128..3).map(|place| books.tier.ask(ReleaseNode { node: Id::new(place) }))).await;
    assert_eq!(books.text("SELECT count(*) FROM budget_reservations"), "0");
    books.assert_exact();
}

/// Whoever holds a lock by hand is waited for, but does not make the tier believe that there is no server.
#[actix_web::test]
async fn a_lock_or_a_report_that_takes_too_long_is_no_outage() {
    let books = Books::new("held").await;
    assert!(books.reserve(1, 5, Caps::default()).await);
    let (mut holder, connection) = tokio_postgres::connect(&books.database.url, NoTls).await.unwrap();
    actix_web::rt::spawn(connection);
    let held = holder.transaction().await.unwrap();
    held.batch_execute("SELECT FROM budget_periods FOR UPDATE; LOCK TABLE api_calls").await.unwrap();
    let days = Days::Today;
    let said = futures_util::future::join3(
        books.tier.actor.ask(reserve(2, 5, Caps::default()), soon()),
        books.tier.actor.ask(Release { reservations: vec![Id::new(1)] }, soon()),
        books.tier.actor.ask(ReadLedger { days, caps: Caps::default() }, soon()),
    )
    .await;
    assert_eq!(said.0.unwrap(), Err(PostgresError::Refused));
    assert_eq!(said.1.unwrap(), Err(PostgresError::Refused));
    assert_eq!(said.2.unwrap().map(drop), Err(PostgresError::Refused));
    assert_eq!(books.tier.status.is_up(), Some(true));
    held.rollback().await.unwrap();
    assert!(books.reserve(2, 5, Caps::default()).await);
    assert_eq!(books.now(), "0 10");
    books.assert_exact();
}
