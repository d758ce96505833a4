//! The feed over a table in memory.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::feed::{Feed, TooManyStreams};
use super::log::EventLog;
use super::sample::{cnj, event};
use super::stream::NewsStream;
use crate::ambient::SystemClock;
use crate::config::notifier::NotifierSettings;
use crate::domain::cnj::Cnj;
use crate::domain::event::Event;
use crate::postgres_tier::bell::NewsBell;
use crate::postgres_tier::messages::PostgresError;
use crate::telemetry::Metrics;

const SOON: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Table {
    events: Mutex<Vec<Event>>,
    is_away: AtomicBool,
    reads: AtomicUsize,
}

impl Table {
    fn store(&self, ids: impl IntoIterator<Item = u64>) {
        self.events.lock().unwrap().extend(ids.into_iter().map(|id| event(id, cnj(id))));
    }

    fn up(&self) -> Result<(), PostgresError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.is_away.load(Ordering::SeqCst) { Err(PostgresError::Away) } else { Ok(()) }
    }
}

impl EventLog for Table {
    fn read(&self, after: u64, cnj: Option<Cnj>, most: usize) -> BoxFuture<'_, Result<Vec<Event>, PostgresError>> {
        let events = self.events.lock().unwrap();
        let wanted = events.iter().filter(|event| event.id > after && cnj.is_none_or(|cnj| cnj == event.cnj));
        let page = wanted.take(most).cloned().collect();
        std::future::ready(self.up().map(|()| page)).boxed()
    }

    fn newest(&self) -> BoxFuture<'_, Result<u64, PostgresError>> {
        let newest = self.events.lock().unwrap().last().map_or(0, |event| event.id);
        std::future::ready(self.up().map(|()| newest)).boxed()
    }
}

/// A feed that looks often, and its table.
struct World {
    table: Arc<Table>,
    feed: Feed,
    bell: NewsBell,
}

impl World {
    fn new(change: impl FnOnce(&mut NotifierSettings)) -> Self {
        let mut settings = NotifierSettings { look_every: Duration::from_millis(5), ..NotifierSettings::default() };
        change(&mut settings);
        let (table, bell) = (Arc::new(Table::default()), NewsBell::default());
        let feed = Feed::new(Arc::<Table>::clone(&table), settings, SystemClock::shared(), Metrics::new());
        let (running, rings) = (feed.clone(), bell.clone());
        crate::supervision::spawn::detach(async move { running.run(&rings).await });
        Self { table, feed, bell }
    }

    async fn listen(&self, after: Option<u64>, cnj: Option<Cnj>) -> Result<NewsStream, TooManyStreams> {
        let mut stream = self.feed.listen(after, cnj).await?;
        assert!(text(&mut stream).await.starts_with("retry: 3000\n"));
        Ok(stream)
    }
}

async fn text(stream: &mut NewsStream) -> String {
    let piece = timeout(SOON, stream.next()).await.expect("a piece in time").expect("an open stream");
    String::from_utf8(piece.to_vec()).unwrap()
}

/// The numbers of the next events, until there are so many; signs of life are passed over.
async fn numbers(stream: &mut NewsStream, count: usize) -> Vec<u64> {
    let mut found = Vec::new();
    while found.len() < count {
        for frame in text(stream).await.split("\n\n").filter(|frame| frame.contains("\nevent: ")) {
            assert!(frame.contains("\nevent: new\n"), "{frame}");
            found.push(frame.lines().next().unwrap().strip_prefix("id: ").unwrap().parse().unwrap());
        }
    }
    found
}

#[actix_rt::test]
async fn without_a_number_a_stream_begins_now() {
    let world = World::new(|_| ());
    world.table.store(1..=5);
    let mut stream = world.listen(None, None).await.unwrap();
    world.table.store(6..=8);
    assert_eq!(numbers(&mut stream, 3).await, [6, 7, 8]);
}

#[actix_rt::test]
async fn a_ring_of_the_bell_is_heard_at_once() {
    let world = World::new(|settings| settings.look_every = Duration::from_secs(3600));
    let mut stream = world.listen(None, None).await.unwrap();
    // Whatever the feed did because somebody came is over once this is heard.
    for id in 1..=3 {
        world.table.store([id]);
        world.bell.ring(id);
        assert_eq!(numbers(&mut stream, 1).await, [id]);
    }
}

#[actix_rt::test]
async fn a_stream_resumes_from_the_table_and_goes_on_from_memory() {
    let world = World::new(|settings| settings.ring_events = 8);
    world.table.store(1..=500);
    let mut all = world.listen(Some(3), None).await.unwrap();
    let mut one = world.listen(Some(3), Some(cnj(0))).await.unwrap();
    assert_eq!(numbers(&mut all, 497).await, (4..=500).collect::<Vec<_>>());
    assert_eq!(numbers(&mut one, 249).await, (4..=500).step_by(2).collect::<Vec<_>>());
    // Far more than memory holds, in one go.
    world.table.store(501..=900);
    assert_eq!(numbers(&mut all, 400).await, (501..=900).collect::<Vec<_>>());
    assert_eq!(numbers(&mut one, 200).await, (502..=900).step_by(2).collect::<Vec<_>>());
}

#[actix_rt::test]
async fn an_outage_is_waited_for() {
    let world = World::new(|settings| settings.heartbeat = Duration::from_millis(20));
    world.table.store(1..=3);
    let mut stream = world.listen(Some(0), None).await.unwrap();
    assert_eq!(numbers(&mut stream, 3).await, [1, 2, 3]);
    world.table.is_away.store(true, Ordering::SeqCst);
    world.table.store(4..=6);
    assert!(text(&mut stream).await.starts_with(':'), "a sign of life");
    let mut resumed = world.listen(Some(2), None).await.unwrap();
    let mut fresh = world.listen(None, None).await.unwrap();
    assert!(text(&mut resumed).await.starts_with(':'));
    world.table.is_away.store(false, Ordering::SeqCst);
    assert_eq!(numbers(&mut stream, 3).await, [4, 5, 6]);
    assert_eq!(numbers(&mut resumed, 4).await, [3, 4, 5, 6]);
    world.table.store([7]);
    assert!(!numbers(&mut fresh, 1).await.is_empty());
}

#[actix_rt::test]
async fn what_is_not_kept_is_a_gap_that_is_told_once() {
    let world = World::new(|_| ());
    world.table.store(100..=103);
    for (asked, resume, rest) in [(7, 99, vec![100, 101, 102, 103]), (5_000, 103, vec![])] {
        let mut stream = world.listen(Some(asked), None).await.unwrap();
        let gap = text(&mut stream).await;
        assert!(gap.starts_with(&format!("id: {resume}\nevent: gap\ndata: {{\"asked_after\":{asked},")), "{gap}");
        assert_eq!(numbers(&mut stream, rest.len()).await, rest);
    }
    let mut whole = world.listen(Some(99), None).await.unwrap();
    assert_eq!(numbers(&mut whole, 4).await, [100, 101, 102, 103]);
}

#[actix_rt::test]
async fn sealed_news_is_left_out_and_the_place_moves_on() {
    let world = World::new(|settings| settings.heartbeat = Duration::from_millis(20));
    world.table.store(1..=3);
    world.table.events.lock().unwrap().iter_mut().for_each(|event| event.sealed = event.id < 3);
    let mut stream = world.listen(Some(0), None).await.unwrap();
    assert_eq!(numbers(&mut stream, 1).await, [3]);
    world.table.events.lock().unwrap().push(Event { sealed: true, ..event(4, cnj(0)) });
    timeout(SOON, async { while text(&mut stream).await != ":\nid: 4\n\n" {} }).await.expect("its place is told");
}

#[actix_rt::test]
async fn streams_are_bounded_and_end_with_the_service() {
    let world = World::new(|settings| settings.most_streams = 2);
    let (mut one, other) = (world.listen(None, None).await.unwrap(), world.listen(None, None).await.unwrap());
    assert_eq!(world.listen(None, None).await.err(), Some(TooManyStreams));
    drop(other);
    let mut third = world.listen(None, None).await.unwrap();
    world.feed.close();
    for stream in [&mut one, &mut third] {
        assert_eq!(timeout(SOON, stream.next()).await, Ok(None));
    }
}

#[actix_rt::test]
async fn many_streams_read_the_table_as_one() {
    let world = World::new(|settings| settings.look_every = Duration::from_secs(3600));
    let mut streams = Vec::new();
    for _ in 0..200 {
        streams.push(world.listen(None, None).await.unwrap());
    }
    let before = world.table.reads.load(Ordering::SeqCst);
    world.table.store(1..=50);
    world.bell.ring(50);
    for stream in &mut streams {
        assert_eq!(numbers(stream, 50).await.len(), 50);
    }
    let reads = world.table.reads.load(Ordering::SeqCst) - before;
    assert!(reads < 10, "{reads}");
}
