//! The admin door of the program as a user runs it, and `juscache ledger`.

use std::time::Duration;

use juscache::ambient::SystemClock;
use juscache::sandbox::{Sandbox, SandboxSettings};
use serde_json::json;

use crate::support::house::{Answer, answer, number};
use crate::support::http;
use crate::support::postgres::Postgres;
use crate::support::process::{Juscache, Running};
use crate::support::wait::{eventually, poll_for};

const PATIENCE: Duration = Duration::from_secs(30);
const LEDGER: &str = "/api/v1/admin/ledger";

/// The token that a service made and printed.
fn printed_token(running: &Running) -> String {
    let token = || {
        let stderr = running.stderr();
        let line = stderr.lines().find(|line| line.starts_with("admin token"))?;
        line.split_whitespace().find_map(|word| word.strip_prefix("JUSCACHE_ADMIN_TOKEN=")).map(str::to_owned)
    };
    poll_for(PATIENCE, token).expect("the service prints its token")
}

async fn ask(running: &Running, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http::client(PATIENCE).get(running.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request).await
}

#[actix_web::test]
async fn a_made_token_is_printed_once_and_opens_from_this_machine_only() {
    let database = Postgres::shared().database("admin_made");
    let service = Juscache::new().env("DATABASE_URL", &database.url).env("RUST_LOG", "trace");
    let running = service.start();
    let token = printed_token(&running);
    assert_eq!(token.len(), 32, "128 bits in hex");
    let bearer = format!("Bearer {token}");

    let none = ask(&running, LEDGER, &[]).await;
    assert_eq!((none.status, none.problem()), (401, "unauthorized"));
    assert_eq!(none.header("www-authenticate"), "Bearer realm=\"juscache-admin\"");
    let wrong = ask(&running, LEDGER, &[("authorization", "Bearer 00000000000000000000000000000000")]).await;
    assert_eq!((wrong.status, wrong.problem()), (401, "unauthorized"));
    let proxied = ask(&running, LEDGER, &[("authorization", &bearer), ("x-forwarded-for", "127.0.0.1")]).await;
    assert_eq!((proxied.status, proxied.problem()), (403, "forbidden"));
    assert!(proxied.body["detail"].as_str().expect("a sentence").contains("JUSCACHE_ADMIN_TOKEN"));

    let open = [("authorization", bearer.as_str())];
    // Behind the door one is told what is not there.
    assert_eq!(ask(&running, "/api/v1/admin/nothing", &open).await.problem(), "not-found");
    assert_eq!(ask(&running, &format!("{LEDGER}?day=ontem"), &open).await.problem(), "invalid-parameter");
    let ledger = ask(&running, LEDGER, &open).await;
    assert_eq!((ledger.status, &ledger.body["spent_centavos"]), (200, &json!(0)), "{ledger:?}");

    assert_eq!(running.stderr().matches(&token).count(), 1, "printed once and never logged");
    assert!(!running.stdout().contains(&token));
    running.terminate();
    assert!(running.wait_exit(PATIENCE).success());
    assert_ne!(printed_token(&service.start()), token, "each run makes its own");
}

#[actix_web::test]
async fn a_token_of_ones_own_is_never_printed_and_guessing_it_is_slowed() {
    const TOKEN: &str = "correct-horse-battery";
    let database = Postgres::shared().database("admin_own");
    let service = Juscache::new().env("DATABASE_URL", &database.url).env("JUSCACHE_ADMIN_TOKEN", TOKEN);
    let running = service.env("RUST_LOG", "trace").start();
    let bearer = format!("Bearer {TOKEN}");
    // A proxy in front is welcome now.
    let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", "192.0.2.1")];
    assert_eq!(ask(&running, "/api/v1/admin/nothing", &headers).await.problem(), "not-found");
    let mut guesses = Vec::new();
    for number in 0..40 {
        guesses.push(ask(&running, LEDGER, &[("authorization", &format!("Bearer guess-{number}"))]).await);
    }
    let (looked_at, refused) = guesses.split_at(30);
    assert!(looked_at.iter().all(|guess| guess.status == 401));
    for guess in refused {
        assert_eq!((guess.status, guess.problem()), (429, "rate-limited"));
        let seconds: u64 = guess.header("retry-after").parse().expect("seconds");
        assert!((1..=60).contains(&seconds), "{seconds}");
    }
    // The right one might be a guess too.
    assert_eq!(ask(&running, LEDGER, &headers).await.status, 429);
    assert!(!running.stderr().contains(TOKEN), "neither printed nor logged");
    assert!(!running.stderr().contains("admin token,"), "there was none to print");
}

#[test]
fn a_token_that_is_too_short_is_a_mistake_like_any_other() {
    let wrong = Juscache::new().env("JUSCACHE_ADMIN_TOKEN", "short").env("JUSCACHE_DB_TTL", "soon").spawn();
    assert_eq!(wrong.wait_exit(PATIENCE).code(), Some(2));
    let told = wrong.stderr();
    assert!(told.contains("JUSCACHE_ADMIN_TOKEN: too short") && told.contains("JUSCACHE_DB_TTL"), "{told}");
    assert!(!told.contains("`short`"), "{told}");
}

fn ledger(arguments: &[&str]) -> Juscache {
    Juscache::new().args(&[&["ledger"], arguments].concat())
}

#[test]
fn the_ledger_is_shown_for_people_and_for_programs() {
    let line = json!({"cap_centavos": null, "spent_centavos": 27, "reserved_centavos": 0, "left_centavos": null});
    let sums = json!([{"name": "escavador/cover", "requests": 2, "centavos": 27}]);
    let body = json!({
        "summary": "Em 01/08/2026 gastamos R$ 0,27.", "timezone": "America/Sao_Paulo", "currency": "BRL",
        "from": "2026-08-01", "to": "2026-08-01", "requests": 2, "spent_centavos": 27, "presumed_centavos": 0,
        "avoided_centavos": 0, "without_cache_centavos": 27, "days": [], "by_endpoint": sums, "by_lane": [],
        "by_client": [], "by_outcome": [], "by_process": [], "avoided": [], "budget": {"day": line, "month": line},
    });
    let (sent, whole) = (body.to_string(), body.clone());
    let server = http::tests::serve(0, move |path| match path {
        "/api/v1/admin/ledger?period=month" => (200, sent.clone()),
        "/api/v1/admin/ledger" => (200, "{}".to_owned()),
        _ => (401, json!({"detail": "não é este o token"}).to_string()),
    });
    let server = format!("http://{server}");
    let run = |arguments: &[&str]| {
        let running = ledger(&[&["--server", &server, "--token", "x"], arguments].concat()).spawn();
        (running.wait_exit(PATIENCE).code(), running.stdout(), running.stderr())
    };
    let (code, shown, _) = run(&["--month"]);
    assert_eq!(code, Some(0));
    for part in ["gastamos R$ 0,27", "escavador/cover", "Por fila: nada gasto", "Orçamento", "sem limite"] {
        assert!(shown.contains(part), "{shown}");
    }
    let (code, json, told) = run(&["--month", "--json"]);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON alone"), whole);
    let (code, shown, told) = run(&["--day", "today"]);
    assert_eq!((code, shown.as_str(), told.trim()), (Some(1), "", "não é este o token"));
    let (code, shown, told) = run(&[]);
    assert_eq!((code, shown.as_str()), (Some(1), ""), "an answer that is no ledger");
    assert!(told.contains("does not answer as a juscache"), "{told}");
}

/// The program beside its running service, over a vendor that charges.
#[actix_web::test]
async fn the_ledger_of_a_running_service_is_a_table() {
    let database = Postgres::shared().database("admin_ledger");
    let vendor = Sandbox::start(SandboxSettings::default(), ([127, 0, 0, 1], 0).into(), SystemClock::shared()).await;
    let vendor = vendor.expect("the sandbox starts");
    let service = Juscache::new()
        .env("DATABASE_URL", &database.url)
        .env("ESCAVADOR_API_KEY", "test")
        .env("ESCAVADOR_BASE_URL", &vendor.base_url())
        .env("ESCAVADOR_BALANCE_AFTER", "0s");
    let running = service.start();
    let token = printed_token(&running);
    let cnj = number();
    let page = format!("/api/v1/process-movements/{cnj}/detailed");
    for expected in ["api", "memory", "memory"] {
        assert_eq!(ask(&running, &page, &[]).await.source(), expected);
    }
    let bearer = format!("Bearer {token}");
    eventually(PATIENCE, "the books are complete", async || {
        let report = ask(&running, LEDGER, &[("authorization", &bearer)]).await.body;
        report["requests"] == 2 && report["avoided_centavos"] == 1_200
    })
    .await;
    let server = running.url("");
    let shown = |arguments: &[&str]| {
        let run = ledger(&[&["--server", &server, "--token", &token], arguments].concat()).spawn();
        assert_eq!(run.wait_exit(PATIENCE).code(), Some(0), "{}", run.stderr());
        run.stdout()
    };
    // The vendor's process answers from this thread, and has nothing to say meanwhile.
    let table = shown(&["--day", "today"]);
    for part in [
        "gastamos R$ 6,00",
        "escavador/cover",
        "interactive",
        "anonymous",
        &cnj,
        "memory (cópia neste processo)",
        "R$ 12,00",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let json: serde_json::Value = serde_json::from_str(&shown(&["--json"])).expect("JSON alone");
    assert_eq!((&json["spent_centavos"], &json["without_cache_centavos"]), (&json!(600), &json!(1_800)));
    assert_eq!(vendor.control().charged(), 600);
    running.terminate();
    assert!(running.wait_exit(PATIENCE).success());
    vendor.stop().await;
}

#[test]
fn wrong_questions_about_the_ledger_are_exit_code_2() {
    let nobody = "127.0.0.1:1";
    for (arguments, told) in [
        (&["--server", nobody][..], "admin token"),
        (&["--token", "x", "--day", "ontem"], "AAAA-MM-DD"),
        (&["--token", "x", "--from", "2026-01-02", "--to", "2026-01-01"], "posterior"),
        (&["--token", "x", "--from", "2026-01-02"], "--to"),
        (&["--token", "x", "--month", "--day", "today"], "cannot be used with"),
    ] {
        let running = ledger(arguments).spawn();
        assert_eq!(running.wait_exit(PATIENCE).code(), Some(2), "{arguments:?}");
        assert!(running.stderr().contains(told), "{arguments:?}: {}", running.stderr());
    }
    let away = ledger(&["--server", nobody]).env("JUSCACHE_ADMIN_TOKEN", "0123456789abcdef").spawn();
    assert_eq!(away.wait_exit(PATIENCE).code(), Some(1));
    assert!(away.stderr().contains("no juscache answers"), "{}", away.stderr());
}
