//! `juscache warm` as a user runs it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{SOON, TOKEN, WARM, bought_once, call, counts, look, over, plan, sold};
use crate::support::house::{House, numbers};
use crate::support::postgres::Postgres;
use crate::support::process::{Juscache, Running};
use crate::support::wait::eventually;

/// Starts the command on a list in a file.
fn warm(server: &str, list: &str, more: &[&str]) -> Running {
    let spec = Juscache::new().env("JUSCACHE_ADMIN_TOKEN", TOKEN);
    std::fs::write(spec.folder().join("list.txt"), list).expect("a list");
    spec.args(&[&["warm", "list.txt", "--server", server], more].concat()).spawn()
}

/// Waits for its end without keeping the services of this thread from answering.
async fn ended(running: Running) -> (Option<i32>, String, String) {
    let waiting = tokio::task::spawn_blocking(move || {
        let code = running.wait_exit(SOON).code();
        (code, running.stdout(), running.stderr())
    });
    waiting.await.expect("it ends")
}

async fn service(hint: &str) -> (House, crate::support::postgres::TestDatabase<'static>) {
    let database = Postgres::shared().database(hint);
    (plan(&database).build().await, database)
}

#[actix_web::test]
async fn a_list_is_loaded_and_the_tally_is_a_table_or_json() {
    let (house, _database) = service("warm_command").await;
    let all = numbers(12);
    house.vendor().forget_process(&all[11]);
    let bare: String = all[0].chars().filter(char::is_ascii_digit).collect();
    let list = format!("# processos\n\n{}\n{bare}  # de novo\n", all.join("\r\n"));
    let server = house.url("");
    let (code, shown, told) = ended(warm(&server, &list, &[])).await;
    assert_eq!(code, Some(0), "{told}");
    for part in ["carregados", "11", "desconhecidos", "Custo: R$ 66,00", "repetidos"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(told.contains("12/12 (100%)"), "plain lines without a terminal: {told}");
    let (code, json, told) = ended(warm(&server, &list, &["--json"])).await;
    let tally: Value = serde_json::from_str(&json).expect("JSON alone");
    let expected = json!({
        "state": "done", "total": 12, "known": 11, "loaded": 0, "unknown": 1, "failed": 0, "duplicates": 1, "cost_centavos": 0,
        "cost_reais": "0.00",
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&tally[name], value, "{name}");
    }
    assert_eq!(code, Some(0), "{told}");
    bought_once(house.vendor(), &all);
    house.close().await;
}

#[actix_web::test]
async fn ctrl_c_leaves_the_list_running_and_says_so() {
    let (house, _database) = service("warm_ctrl_c").await;
    house.vendor().set_latency(Duration::from_millis(200));
    let all = numbers(100);
    let running = warm(&house.url(""), &all.join("\n"), &[]);
    sold(house.vendor(), 10).await;
    running.terminate();
    let (code, shown, told) = ended(running).await;
    assert_eq!((code, shown.as_str()), (Some(1), ""), "{told}");
    assert!(told.contains("segue em andamento"), "{told}");
    let id = told.lines().rev().find_map(|line| line.split(&format!("{WARM}/")).nth(1)).expect("its address");
    house.vendor().set_latency(Duration::ZERO);
    let list = over(&house, id.trim()).await;
    assert_eq!(counts(&list), [100, 0, 0, 0, 0], "{list}");
    bought_once(house.vendor(), &all);
    house.close().await;
}

#[actix_web::test]
async fn a_cancelled_list_is_exit_code_1() {
    let (house, _database) = service("warm_cancelled").await;
    house.vendor().set_latency(Duration::from_millis(300));
    let running = warm(&house.url(""), &numbers(100).join("\n"), &["--json"]);
    sold(house.vendor(), 3).await;
    let lists = call(&house, Method::GET, WARM, None).await.body;
    let id = lists["lists"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(call(&house, Method::DELETE, &format!("{WARM}/{id}"), None).await.status, 200);
    let (code, json, told) = ended(running).await;
    let tally: Value = serde_json::from_str(&json).expect("JSON alone");
    assert_eq!((code, &tally["state"]), (Some(1), &json!("cancelled")), "{told}");
    assert!(tally["not_looked_up"].as_u64().expect("a count") > 0, "{tally}");
    eventually(SOON, "nothing is under way", async || house.vendor().in_flight() == 0).await;
    assert_eq!(look(&house, &id).await["state"], "cancelled");
    house.close().await;
}

#[test]
fn wrong_lines_are_all_told_before_anything_is_sent() {
    let list = format!("{}\n123\n\n# nada\n0000001-38.2024.8.26.0100\n", numbers(1)[0]);
    // Nobody listens there: whoever sent something would fail otherwise.
    let running = warm("127.0.0.1:1", &list, &[]);
    assert_eq!(running.wait_exit(SOON).code(), Some(2));
    let told = running.stderr();
    assert!(told.contains("linha 2: ") && told.contains("linha 5: ") && told.contains("Nada foi enviado"), "{told}");

    let empty = warm("127.0.0.1:1", "# nada\n", &[]);
    assert_eq!(empty.wait_exit(SOON).code(), Some(2));
    let absent = Juscache::new().args(&["warm", "absent.txt", "--token", "x"]).spawn();
    assert_eq!(absent.wait_exit(SOON).code(), Some(2));
    let no_token = Juscache::new().args(&["warm", "-"]).spawn();
    assert_eq!(no_token.wait_exit(SOON).code(), Some(2), "stdin is empty");
    let nobody = warm("127.0.0.1:1", &numbers(1)[0], &[]);
    assert_eq!(nobody.wait_exit(SOON).code(), Some(1));
    assert!(nobody.stderr().contains("no juscache answers"), "{}", nobody.stderr());
}

#[actix_web::test]
async fn a_wrong_token_is_told_as_the_service_says_it() {
    let (house, _database) = service("warm_token").await;
    let (code, _, told) = ended(warm(&house.url(""), &numbers(1)[0], &["--token", "not-the-token"])).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("JUSCACHE_ADMIN_TOKEN"), "{told}");
    house.close().await;
}
