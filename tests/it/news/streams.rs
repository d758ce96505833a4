//! Streams: nothing is missed, whatever happens to the stream, the database or the node.
#![expect(clippy::disallowed_methods, reason = "these time a real service")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use futures_util::future::{join, join_all};

use super::fixture::{Listener, SOON, Writer};
use crate::support::house::{Plan, close_all, number};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

const ALL: &str = "/api/v1/events";

/// Large events of the slow client.
const MANY: u32 = 40;

fn of(cnj: &str) -> String {
    format!("/api/v1/process-movements/{cnj}/events")
}

fn stored(cluster: &Postgres, database: &TestDatabase<'_>) -> Vec<u64> {
    let rows = cluster.rows(database.name(), "SELECT id FROM process_events ORDER BY id");
    rows.into_iter().flatten().flatten().map(|id| id.parse().expect("a number")).collect()
}

#[actix_web::test]
async fn a_client_that_is_cut_off_again_and_again_misses_nothing_while_four_nodes_store() {
    let database = Postgres::shared().database("news resume");
    let house = Plan::new(&database.url).build().await;
    let writers = join_all((0..4).map(|_| Writer::on(&database.url))).await;
    let storing = join_all(writers.iter().zip(0..).map(|(writer, n)| async move {
        let mut case = writer.case(n).await;
        for _ in 0..30 {
            writer.goes_on(&mut case).await;
        }
    }));
    let listening = async {
        let (mut heard, mut last) = (Vec::new(), 0);
        for cut_after in [1, 7, 2, 13, 5, 1, 30].into_iter().cycle() {
            let mut stream = Listener::open(&house, ALL, Some(last)).await;
            let wanted = usize::min(cut_after, 120 - heard.len());
            heard.extend(stream.numbers(wanted).await);
            last = *heard.last().expect("at least one");
            if heard.len() == 120 {
                return heard;
            }
        }
        heard
    };
    let ((), heard) = join(async { drop(storing.await) }, listening).await;
    assert_eq!(heard, stored(Postgres::shared(), &database));
    house.close().await;
}

#[actix_web::test]
async fn what_one_node_finds_is_heard_at_another_within_a_second() {
    let database = Postgres::shared().database("news nodes");
    let nodes = Plan::build_fleet(|| Plan::new(&database.url), 2).await;
    let cnj = number();
    nodes[1].lookup(&cnj).await;
    let mut everything = Listener::open(&nodes[0], ALL, None).await;
    let mut this_one = Listener::open(&nodes[0], &of(&cnj), None).await;
    let mut near = Listener::open(&nodes[1], &of(&cnj), None).await;
    for round in 0..3 {
        let id = nodes[1].vendor().add_movement(&cnj, NaiveDate::MIN, &format!("Conclusos {round}")).expect("known");
        assert_eq!(nodes[1].refresh(&cnj).await.status, 200);
        let found = Instant::now();
        for stream in [&mut near, &mut everything, &mut this_one] {
            let news = stream.next().await.expect("an open stream");
            assert!(found.elapsed() < Duration::from_secs(1), "{:?}", found.elapsed());
            assert_eq!((news.kind.as_str(), news.data["cnj"].as_str()), ("new", Some(cnj.as_str())));
            assert!(news.data.to_string().contains(&id.to_string()), "{news:?}");
        }
    }
    let metrics = nodes[0].metrics().await;
    assert!(metrics.contains("juscache_event_streams 2\n") && metrics.contains("juscache_events_sent_total 6\n"));
    drop((everything, this_one, near));
    eventually(SOON, "streams are let go", async || nodes[0].metrics().await.contains("juscache_event_streams 0\n"))
        .await;
    close_all(nodes).await;
}

#[actix_web::test]
async fn a_stream_outlives_a_database_that_hangs_and_goes_on_without_a_gap() {
    let cluster = Postgres::own();
    let database = cluster.database("news pause");
    let house = Plan::new(&database.url).with(|set| set.notifier.heartbeat = Duration::from_millis(200)).build().await;
    let writer = Writer::on(&database.url).await;
    let mut case = writer.case(0).await;
    let mut stream = Listener::open(&house, ALL, None).await;
    let mut expected: Vec<_> = Vec::new();
    expected.extend(writer.goes_on(&mut case).await);
    assert_eq!(stream.numbers(1).await, expected);

    cluster.pause();
    let mut resumed = Listener::open(&house, ALL, Some(0)).await;
    let heard = tokio::time::timeout(Duration::from_secs(3), join(stream.next(), resumed.next())).await;
    assert!(heard.is_err(), "{heard:?}");
    assert!(stream.signs_of_life >= 3 && resumed.signs_of_life >= 3);
    cluster.resume();

    // The writer's own breaker closes first.
    for _ in 0..5 {
        eventually(SOON, "stored again", async || house.get("/health/ready").await.status == 200).await;
        tokio::time::timeout(SOON, async {
            expected.extend(writer.goes_on_when_it_can(&mut case).await);
        })
        .await
        .expect("stored");
    }
    assert_eq!(stream.numbers(5).await, expected[1..]);
    assert_eq!(resumed.numbers(6).await, expected);
    house.close().await;
}

#[actix_web::test]
async fn a_client_that_does_not_read_delays_nobody_and_gets_everything_when_it_does() {
    let database = Postgres::shared().database("news slow");
    let house = Plan::new(&database.url).build().await;
    let mut slow = TcpStream::connect(house.app.address()).expect("a connection");
    write!(slow, "GET {ALL}?last_event_id=0 HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    let writer = Writer::on(&database.url).await;
    let mut quick = Listener::open(&house, ALL, None).await;
    // More than the ring and the sockets' buffers hold.
    for n in 0..MANY {
        let mut case = writer.case(n).await;
        case.padding = "x".repeat(400_000);
        let id = writer.goes_on(&mut case).await.expect("an event");
        assert_eq!(quick.numbers(1).await, [id]);
    }
    let reading = tokio::task::spawn_blocking(move || {
        slow.set_read_timeout(Some(SOON)).expect("a timeout");
        let (mut reader, mut heard, mut last) = (BufReader::new(slow), Vec::new(), 0);
        while heard.len() < usize::try_from(MANY).expect("small") {
            let mut line = String::new();
            reader.read_line(&mut line).expect("the stream goes on");
            if let Some(id) = line.strip_prefix("id: ") {
                last = id.trim().parse().expect("a number");
            } else if line == "event: new\n" {
                heard.push(last);
            }
        }
        heard
    });
    let heard = reading.await.expect("read");
    assert_eq!(heard, stored(Postgres::shared(), &database));
    house.close().await;
}

#[actix_web::test]
async fn a_stop_ends_streams_and_does_not_wait_for_them() {
    let database = Postgres::shared().database("news stop");
    let house = Plan::new(&database.url).with(|set| set.notifier.most_streams = 2).build().await;
    let (mut one, _other) = join(Listener::open(&house, ALL, None), Listener::open(&house, ALL, None)).await;
    let refused = house.get(ALL).await;
    assert_eq!((refused.status, refused.problem()), (503, "overloaded"));
    assert!(!refused.header("retry-after").is_empty());
    let begun = Instant::now();
    let (ended, ()) = join(one.next(), house.close()).await;
    assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[actix_web::test]
async fn a_resumed_number_that_is_not_kept_any_more_is_a_gap() {
    let database = Postgres::shared().database("news gap");
    let house = Plan::new(&database.url).build().await;
    let writer = Writer::on(&database.url).await;
    let mut case = writer.case(0).await;
    for _ in 0..4 {
        writer.goes_on(&mut case).await;
    }
    let kept = stored(Postgres::shared(), &database);
    Postgres::shared().execute(database.name(), &format!("DELETE FROM process_events WHERE id <= {}", kept[2]));
    let mut stream = Listener::open(&house, ALL, Some(kept[0])).await;
    let gap = stream.next().await.expect("a word");
    assert_eq!((gap.kind.as_str(), &gap.data["asked_after"]), ("gap", &kept[0].into()));
    assert_eq!(stream.numbers(1).await, [kept[3]]);
    house.close().await;
}
