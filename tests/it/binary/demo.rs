//! `juscache demo`: the README's first command.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::{join, join_all};
use juscache::sandbox::demo_numbers;

use crate::support::house::answer;
use crate::support::http;
use crate::support::process::{Juscache, Running};
use crate::support::wait::{eventually, poll_for};

const PATIENCE: Duration = Duration::from_secs(30);

fn demo() -> Juscache {
    Juscache::new().args(&["demo"]).env("ESCAVADOR_REQUESTS_PER_MINUTE", "1000000")
}

/// The first line to paste, as the demo prints it.
fn pasted(running: &Running) -> String {
    let url = |text: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with("curl -i"))?;
        line.split('\'').find(|word| word.starts_with("http")).map(str::to_owned)
    };
    poll_for(PATIENCE, || url(&running.stdout())).expect("the demo prints what to paste")
}

#[actix_web::test]
async fn the_pasted_line_answers_200_with_the_contracts_shape() {
    let demo = demo();
    let running = demo.start();
    let answer = answer(http::client(PATIENCE).get(pasted(&running))).await;
    assert_eq!(answer.status, 200);
    for field in
        ["cnj", "total_movements", "movements", "current_phase", "outcome", "cached_at", "cache_source", "freshness"]
    {
        assert!(!answer.body[field].is_null(), "{field}: {}", answer.body);
    }
    assert_eq!(answer.source(), "memory", "some processes are known already");
    running.terminate();
    assert!(running.wait_exit(PATIENCE).success());
}

/// Killed in the middle of writes, again and again, it loses nothing that it had answered.
#[actix_web::test]
async fn killed_in_the_middle_of_writes_it_loses_no_stored_process() {
    let demo = demo();
    let mut stored: Vec<String> = Vec::new();
    for cycle in 0..4 {
        let running = demo.start();
        let client = http::client(PATIENCE);
        let detailed = |cnj: &str| running.url(&format!("/api/v1/process-movements/{cnj}/detailed"));
        for cnj in &stored {
            // On a busy machine the database may answer later than a reader waits; what is lost does not come back at all.
            eventually(PATIENCE, &format!("{cnj} is still there in cycle {cycle}"), async || {
                let held = answer(client.get(detailed(cnj)).header("cache-control", "only-if-cached")).await;
                (held.status, held.source()) == (200, "database")
            })
            .await;
        }
        let answered = Cell::new(0);
        let new = demo_numbers(40, 1000 + cycle);
        let lookups = join_all(new.iter().map(|cnj| {
            let (request, answered) = (client.get(detailed(cnj)), &answered);
            async move {
                let stored = request.send().await.is_ok_and(|response| response.status() == 200);
                answered.set(answered.get() + u64::from(stored));
                stored.then(|| cnj.clone())
            }
        }));
        // Some are answered by then, some are being written, some have not begun.
        let kill = async {
            eventually(PATIENCE, "some are stored", async || answered.get() >= 5 + 3 * cycle).await;
            running.kill9();
        };
        let (lookups, ()) = join(lookups, kill).await;
        stored.extend(lookups.into_iter().flatten());
    }
    assert!(stored.len() > 20, "only {} were stored", stored.len());
}
