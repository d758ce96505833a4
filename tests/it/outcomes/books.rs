//! What an operator asks of the ledger, over a service that has spent and spared; and the metrics beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::fixture::{Open, SOON, cost, not_at_midnight, plan};
use crate::support::house::{Answer, answer, numbers};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::wait::eventually;

/// Readers of one flight.
const CROWD: usize = 30;

async fn ledger(open: &Open, query: &str) -> Answer {
    let token = open.app.generated_token().expect("a token was made");
    let url = open.url(&format!("/api/v1/admin/ledger{query}"));
    let answered = answer(open.client.get(url).bearer_auth(token.expose_secret())).await;
    assert_eq!(answered.status, 200, "{answered:?}");
    answered
}

/// `name: (requests or lookups, centavos)` of a breakdown.
fn sums(report: &Value, part: &str) -> BTreeMap<String, (u64, u64)> {
    let lines = report[part].as_array().expect("a breakdown");
    let line = |line: &Value| {
        let name = line["name"].as_str().or_else(|| line["tier"].as_str()).expect("a name");
        let count = line["requests"].as_u64().or_else(|| line["lookups"].as_u64()).expect("a count");
        (name.to_owned(), (count, line["centavos"].as_u64().expect("centavos")))
    };
    lines.iter().map(line).collect()
}

fn of<const N: usize>(sums: [(&str, (u64, u64)); N]) -> BTreeMap<String, (u64, u64)> {
    sums.into_iter().map(|(name, sum)| (name.to_owned(), sum)).collect()
}

/// What the readers saw, by who spared them a purchase; what was bought and by how many.
#[derive(Default)]
struct Seen {
    avoided: BTreeMap<&'static str, u64>,
    bought: u64,
}

impl Seen {
    fn note(&mut self, answer: &Answer) {
        assert_eq!((answer.status, answer.stale()), (200, Some(false)), "{answer:?}");
        let by = match answer.source() {
            "memory" => "memory",
            "redis" => "redis",
            "database" => "database",
            "api" if cost(answer) > 0 => {
                self.bought += 1;
                return;
            }
            "api" if answer.header("cache-status").contains("collapsed") => "coalesced",
            "api" => "confirmed",
            _ => "nobody",
        };
        *self.avoided.entry(by).or_default() += 1;
    }

    fn avoided(&self) -> BTreeMap<String, (u64, u64)> {
        self.avoided.iter().map(|(by, lookups)| ((*by).to_owned(), (*lookups, lookups * 600))).collect()
    }
}

/// Buys, hits every tier, joins, confirms, in two lives on the same stores; gives the second life and what readers saw.
async fn spend_and_spare() -> (Open, Redis, Seen, i64, Vec<String>) {
    let (redis, database) = (Redis::start(), Postgres::shared().database("books"));
    let house = plan(&database).redis(&redis).build().await;
    let first = Open { house, database };
    not_at_midnight(&first.database).await;
    let numbers = numbers(5);
    let mut seen = Seen::default();
    for cnj in &numbers[..3] {
        for _ in 0..4 {
            seen.note(&first.lookup(cnj).await);
        }
    }
    assert_eq!(first.booked().await, first.vendor().charged());
    let charged = first.vendor().charged();
    let Open { house, database } = first;
    house.close().await;

    let house = plan(&database).redis(&redis).without_near().build().await;
    let second = Open { house, database };
    for cnj in &numbers[..2] {
        seen.note(&second.lookup(cnj).await);
    }
    redis.flush();
    for cnj in &numbers[..3] {
        seen.note(&second.lookup(cnj).await);
    }
    redis.flush();
    let expire = "UPDATE process_status_cache SET cache_valid_until = now() - interval '1 second'";
    Postgres::shared().execute(second.database.name(), expire);
    second.vendor().verify(&numbers[0], second.now() - Duration::from_secs(30 * 24 * 3600));
    seen.note(&second.lookup(&numbers[0]).await);
    second.vendor().set_latency(Duration::from_millis(500));
    for answer in join_all((0..CROWD).map(|_| second.lookup(&numbers[3]))).await {
        seen.note(&answer);
    }
    second.vendor().set_latency(Duration::ZERO);
    let charged = charged + second.vendor().charged();
    (second, redis, seen, charged, numbers)
}

#[actix_web::test]
async fn a_day_adds_up_and_yesterday_is_one_question() {
    let (open, _redis, seen, charged, numbers) = spend_and_spare().await;
    assert_eq!((seen.bought, charged), (4, 2_400));
    assert_eq!(seen.avoided["memory"], 9);
    assert_eq!((seen.avoided["redis"], seen.avoided["database"], seen.avoided["confirmed"]), (2, 3, 1));
    assert_eq!(seen.avoided["coalesced"], 29);
    eventually(SOON, "the books are complete", async || {
        let report = ledger(&open, "?day=today").await.body;
        report["requests"] == 9 && sums(&report, "avoided") == seen.avoided()
    })
    .await;

    let today = ledger(&open, "?day=today").await.body;
    let spent = u64::try_from(charged).expect("centavos");
    assert_eq!((&today["spent_centavos"], &today["presumed_centavos"]), (&spent.into(), &0.into()), "{today}");
    let endpoints =
        [("escavador/cover", (4, 1_200)), ("escavador/movements", (4, 1_200)), ("escavador/status", (1, 0))];
    assert_eq!(sums(&today, "by_endpoint"), of(endpoints));
    assert_eq!(sums(&today, "by_lane"), of([("interactive", (9, spent))]));
    assert_eq!(sums(&today, "by_client"), of([("anonymous", (9, spent))]));
    assert_eq!(sums(&today, "by_outcome"), of([("ok", (9, spent))]));
    let [a, b, c, d] = [0, 1, 2, 3].map(|n| numbers[n].as_str());
    assert_eq!(sums(&today, "by_process"), of([(a, (3, 600)), (b, (2, 600)), (c, (2, 600)), (d, (2, 600))]));
    let avoided: u64 = seen.avoided.values().sum::<u64>() * 600;
    assert_eq!(
        (&today["avoided_centavos"], &today["without_cache_centavos"]),
        (&avoided.into(), &(spent + avoided).into())
    );
    assert_eq!(today["budget"]["day"]["spent_centavos"], spent);
    assert!(today["summary"].as_str().expect("a sentence").contains("R$ 24,00"), "{today}");

    // A night goes by.
    let night =
        "UPDATE api_calls SET day = day - 1, at = at - interval '1 day'; UPDATE avoided_calls SET day = day - 1;";
    Postgres::shared().execute(open.database.name(), night);
    let yesterday = ledger(&open, "?day=yesterday").await.body;
    for part in [
        "requests",
        "spent_centavos",
        "avoided_centavos",
        "without_cache_centavos",
        "by_endpoint",
        "by_lane",
        "by_client",
        "by_process",
        "avoided",
    ] {
        assert_eq!(yesterday[part], today[part], "{part}");
    }
    assert_ne!(yesterday["from"], today["from"]);
    let sentence = yesterday["summary"].as_str().expect("a sentence");
    assert!(
        sentence.contains("gastamos R$ 24,00 em 9 requisições: capas R$ 12,00 e movimentações R$ 12,00"),
        "{sentence}"
    );
    assert!(sentence.contains("sem o cache teria custado R$ 288,00 (R$ 264,00 a mais)"), "{sentence}");
    let now = ledger(&open, "?day=today").await.body;
    assert_eq!((&now["requests"], &now["spent_centavos"], &now["avoided_centavos"]), (&0.into(), &0.into(), &0.into()));
    let recent = ledger(&open, "").await.body;
    assert_eq!((&recent["from"], &recent["to"]), (&yesterday["from"], &today["to"]));
    assert_eq!(recent["days"], yesterday["days"], "one day with rows");
    open.close().await;
}

#[actix_web::test]
async fn the_contracts_metrics_exist_and_move() {
    let open = Open::new("metrics").await;
    let text = open.metrics().await;
    for series in [
        "juscache_upstream_calls_avoided_total 0",
        "juscache_actor_restarts_total{actor=\"fetcher\"} 0",
        "juscache_actor_restarts_total{actor=\"postgres\"} 0",
        "juscache_tier_up{tier=\"postgres\"} 1",
        "juscache_tier_up{tier=\"upstream\"} 1",
        "juscache_upstream_hold{provider=\"escavador\",reason=\"no-credit\"} 0",
        "juscache_upstream_hold{provider=\"datajud\",reason=\"outage\"} 0",
        "juscache_avoided_lookups_total{tier=\"memory\"} 0",
        "juscache_avoided_centavos_total{tier=\"memory\"} 0",
        "juscache_served_age_seconds_count 0",
        "juscache_ledger_pending",
        "juscache_journal_pending 0",
    ] {
        assert!(text.lines().any(|line| line.starts_with(series)), "{series}\n{text}");
    }
    let cnj = numbers(2).remove(0);
    for _ in 0..3 {
        assert_eq!(open.lookup(&cnj).await.status, 200);
    }
    open.vendor().set_credits(0);
    assert_eq!(open.lookup(&numbers(2)[1]).await.status, 503);
    open.get("/health/ready").await;
    for (series, value) in [
        ("juscache_lookups_total{source=\"api\",outcome=\"fresh\"}", 1.0),
        ("juscache_lookups_total{source=\"memory\",outcome=\"fresh\"}", 2.0),
        ("juscache_lookups_total{source=\"none\",outcome=\"credits-exhausted\"}", 1.0),
        ("juscache_lookup_seconds_count{source=\"api\"}", 1.0),
        ("juscache_lookup_seconds_count{source=\"memory\"}", 2.0),
        ("juscache_served_age_seconds_count", 3.0),
        ("juscache_upstream_requests_total{provider=\"escavador\",endpoint=\"cover\",outcome=\"ok\"}", 1.0),
        ("juscache_upstream_requests_total{provider=\"escavador\",endpoint=\"movements\",outcome=\"ok\"}", 1.0),
        ("juscache_upstream_requests_total{provider=\"escavador\",endpoint=\"cover\",outcome=\"no-credit\"}", 1.0),
        ("juscache_upstream_cost_centavos_total{lane=\"interactive\"}", 600.0),
        ("juscache_upstream_calls_avoided_total", 2.0),
        ("juscache_avoided_lookups_total{tier=\"memory\"}", 2.0),
        ("juscache_upstream_hold{provider=\"escavador\",reason=\"no-credit\"}", 1.0),
        ("juscache_tier_up{tier=\"upstream\"}", 0.0),
        ("juscache_actor_in_flight{actor=\"fetcher\"}", 0.0),
    ] {
        assert_eq!(open.metric(series).await, Some(value), "{series}");
    }
    let centavos = "juscache_avoided_centavos_total{tier=\"memory\"}";
    eventually(SOON, "what was avoided is in the books", async || open.metric(centavos).await == Some(1_200.0)).await;
    eventually(SOON, "the ledger is stored", async || open.metric("juscache_ledger_pending").await == Some(0.0)).await;
    open.close().await;
}
