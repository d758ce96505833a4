//! Bad input is refused exactly and early, costs nothing, and never gives 500.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use crate::support::house::{Plan, answer, number};
use crate::support::postgres::Postgres;

#[actix_web::test]
async fn an_invalid_number_gets_422_with_an_exact_reason_and_costs_no_call() {
    let database = Postgres::shared().database("invalid");
    let house = Plan::new(&database.url).build().await;
    let long = "1".repeat(10_000);
    let cases = [
        ("0000001-00.2024.6.14.0000", "49"),
        ("0000094-99.2024.8.26.0100", "02"),
        ("0000000-98.0000.0.00.0000", ""),
        ("0000001-3a.2024.8.26.0100", ""),
        ("0000001392024826010", "19"),
        ("1'%20OR%20'1'='1", ""),
        ("1;%20DROP%20TABLE%20process_movements;--", ""),
        (long.as_str(), ""),
        ("%00", ""),
        ("..%2f..%2fetc%2fpasswd", ""),
        ("%ff%fe", ""),
    ];
    for (number, told) in cases {
        let answer = house.lookup(number).await;
        assert_eq!((answer.status, answer.problem()), (422, "invalid-cnj"), "{number}: {answer:?}");
        let detail = answer.body["detail"].as_str().expect("a sentence");
        assert!(detail.contains(told), "{number}: {detail}");
        assert!(!detail.contains(&long), "the input is not thrown back");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    assert!(house.vendor().calls().is_empty());
    house.close().await;
}

#[actix_web::test]
async fn a_broken_parameter_gets_400_that_names_it() {
    let database = Postgres::shared().database("parameters");
    let house = Plan::new(&database.url).build().await;
    let cnj = number();
    for query in [
        "limit=0",
        "limit=501",
        "limit=abc",
        "limit=",
        "limit=-1",
        "limit=1e2",
        "cursor=broken",
        "cursor=%00",
        "order=up",
        "type=NADA",
        "since=2024-13-01",
        "until=ontem",
        "since=2024-02-02&until=2024-01-01",
        "force_refresh=maybe",
    ] {
        let answer = house.get(&format!("/api/v1/process-movements/{cnj}/detailed?{query}")).await;
        assert_eq!((answer.status, answer.problem()), (400, "invalid-parameter"), "{query}: {answer:?}");
        let name = query.split('=').next().unwrap_or_default();
        assert!(answer.body["detail"].as_str().expect("a sentence").contains(name), "{query}: {}", answer.body);
    }
    assert!(house.vendor().calls().is_empty(), "refused before anything is spent");
    house.close().await;
}

#[actix_web::test]
async fn pages_and_filters_cut_the_answer_and_not_what_is_cached() {
    let database = Postgres::shared().database("pages");
    let house = Plan::new(&database.url).build().await;
    let cnj = number();
    let whole = house.get(&format!("/api/v1/process-movements/{cnj}/detailed?limit=500")).await;
    let total = whole.body["movements"].as_array().expect("movements").len();
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = house.get(&format!("/api/v1/process-movements/{cnj}/detailed?limit=7{cursor}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        let movements = page.body["movements"].as_array().expect("movements").clone();
        assert_eq!(page.body["shown_movements"].as_u64(), u64::try_from(movements.len()).ok());
        assert_eq!(page.body["total_movements"], whole.body["total_movements"]);
        ids.extend(movements.iter().map(|movement| movement["id"].clone()));
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let in_order: Vec<_> =
        whole.body["movements"].as_array().expect("movements").iter().map(|one| one["id"].clone()).collect();
    assert_eq!((ids.len(), ids), (total, in_order));
    assert_eq!(house.fetches(), 1);
    let decisions = house.get(&format!("/api/v1/process-movements/{cnj}/detailed?type=decisao&order=asc")).await;
    let movements = decisions.body["movements"].as_array().expect("movements");
    assert!(!movements.is_empty(), "the process has decisions");
    assert!(movements.iter().all(|movement| movement["type"] == "DECISAO"));
    assert!(movements.is_sorted_by_key(|movement| movement["date"].as_str().map(str::to_owned)));
    house.close().await;
}

/// Whatever a client can send over HTTP, it is never told 500.
#[actix_web::test]
async fn nothing_a_client_can_send_gives_500() {
    let database = Postgres::shared().database("anything");
    let house = Plan::new(&database.url).build().await;
    let cnj = number();
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let header = || "[ -~]{0,60}";
    for _ in 0..300 {
        let strategy = ("[!-~]{0,80}", "[!-~]{0,80}", header(), header(), header());
        let (path, query, directives, etag, encodings) = strategy.new_tree(&mut runner).expect("a sample").current();
        let path = path.replace(['#', '?', '\\'], "%3f");
        let known = format!("/api/v1/process-movements/{cnj}/detailed");
        let invented = |prefix: &str| format!("{prefix}{path}/detailed");
        for path in [known, invented("/api/v1/process-movements/"), invented("/"), invented("/problems/")] {
            let Ok(url) = reqwest::Url::parse(&house.url(&format!("{path}?{query}"))) else { continue };
            let request = house.client.get(url);
            let request = request.header("cache-control", &directives).header("if-none-match", &etag);
            let answer = answer(request.header("accept-encoding", &encodings)).await;
            assert_ne!(answer.status, 500, "{path}?{query} {directives} {etag} {encodings}");
        }
    }
    house.close().await;
}
