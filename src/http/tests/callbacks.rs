//! The door for callbacks and what is said there.

use std::sync::{Arc, Mutex};

use actix_web::test::TestRequest;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::fixture::{ADMIN_TOKEN, CALLBACK_TOKEN, House, Reply, served};
use crate::callbacks::Receipt;
use crate::callbacks::event::Malformed;
use crate::domain::callback::{CallbackReport, CallbackState};
use crate::http::callbacks::CallbackDoor;
use crate::http::state::{CallbackDesk, CallbacksAway};

const CALLBACKS: &str = "/webhooks/escavador";
const MOST: usize = 1024 * 1024;

/// A desk that notes what reaches it.
struct Noting {
    taken: Mutex<Vec<usize>>,
    receipt: Receipt,
}

impl CallbackDesk for Noting {
    fn take(&self, body: Bytes) -> BoxFuture<'_, Result<Receipt, CallbacksAway>> {
        self.taken.lock().unwrap().push(body.len());
        std::future::ready(Ok(self.receipt)).boxed()
    }

    fn report(&self, _: Option<CallbackState>, most: usize) -> BoxFuture<'_, Result<CallbackReport, CallbacksAway>> {
        let (list_complete_until, list_next_at, callbacks) = (None, None, Vec::new());
        let waiting = u64::try_from(most).unwrap();
        let report = CallbackReport { waiting, failed: 1, malformed: 2, list_complete_until, list_next_at, callbacks };
        std::future::ready(Ok(report)).boxed()
    }
}

fn house(receipt: Receipt) -> (House, Arc<Noting>) {
    let mut house = House::serving(served());
    let desk = Arc::new(Noting { taken: Mutex::default(), receipt });
    house.state.callbacks = desk.clone();
    (house, desk)
}

async fn post(house: &House, token: Option<&str>, bytes: usize) -> Reply {
    let mut request = TestRequest::post().uri(CALLBACKS).set_payload(vec![b'x'; bytes]);
    if let Some(token) = token {
        request = request.insert_header(("authorization", token));
    }
    house.call(request).await
}

fn counted(house: &House, event: &str, outcome: &str) -> bool {
    house
        .state
        .metrics
        .render()
        .contains(&format!("juscache_callbacks_total{{event=\"{event}\",outcome=\"{outcome}\"}}"))
}

#[actix_web::test]
async fn strangers_reach_nothing_but_a_counter() {
    let (house, desk) = house(Receipt::Accepted);
    for token in [None, Some("wrong"), Some("Bearer wrong"), Some("Basic eDp5")] {
        // Also with a body over every limit: the token comes first.
        for bytes in [10, MOST + 1] {
            let reply = post(&house, token, bytes).await;
            reply.problem("unauthorized", 401);
            assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"juscache-callbacks\"");
        }
    }
    assert!(desk.taken.lock().unwrap().is_empty());
    assert!(counted(&house, "none", "unauthorized"));
}

#[actix_web::test]
async fn without_a_configured_token_everybody_is_a_stranger() {
    let (mut house, desk) = house(Receipt::Accepted);
    house.state.callback_door = Arc::new(CallbackDoor::new(None));
    for token in [None, Some(CALLBACK_TOKEN), Some(""), Some("Bearer ")] {
        post(&house, token, 10).await.problem("unauthorized", 401);
    }
    assert!(desk.taken.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn what_is_stored_is_confirmed_in_both_spellings() {
    for receipt in [Receipt::Accepted, Receipt::Repeated, Receipt::Ignored] {
        let (house, desk) = house(receipt);
        for token in [CALLBACK_TOKEN.to_owned(), format!("Bearer {CALLBACK_TOKEN}")] {
            let reply = post(&house, Some(&token), MOST).await;
            assert_eq!((reply.status.as_u16(), reply.body.as_ref()), (200, b"{\"received\":true}".as_ref()));
        }
        assert_eq!(*desk.taken.lock().unwrap(), [MOST, MOST]);
    }
}

#[actix_web::test]
async fn too_much_malformed_and_a_lost_database_are_told_apart() {
    let (large, desk) = house(Receipt::Accepted);
    post(&large, Some(CALLBACK_TOKEN), MOST + 1).await.problem("payload-too-large", 413);
    assert!(desk.taken.lock().unwrap().is_empty() && counted(&large, "none", "too-large"));

    let (malformed, _desk) = house(Receipt::Malformed(Malformed::NoEvent));
    let detail = post(&malformed, Some(CALLBACK_TOKEN), 2).await.problem("invalid-parameter", 400);
    assert!(detail.contains("event"), "{detail}");

    let away = House::serving(served());
    let reply = post(&away, Some(CALLBACK_TOKEN), 2).await;
    reply.problem("overloaded", 503);
    assert_eq!(reply.header("retry-after"), "30");
}

#[actix_web::test]
async fn only_posts_are_taken() {
    let (house, _desk) = house(Receipt::Accepted);
    let reply = house.get(CALLBACKS).await;
    reply.problem("method-not-allowed", 405);
    assert_eq!(reply.header("allow"), "POST");
}

#[actix_web::test]
async fn operators_see_the_latest() {
    let (house, _desk) = house(Receipt::Accepted);
    let page = async |query: &str| {
        let uri = format!("/api/v1/admin/callbacks{query}");
        let bearer = ("authorization", format!("Bearer {ADMIN_TOKEN}"));
        house.call(TestRequest::get().uri(&uri).insert_header(bearer)).await
    };
    for (query, most) in [("", 50), ("?state=failed", 50), ("?limit=500&state=malformed", 500)] {
        let json = page(query).await.json();
        assert_eq!((&json["waiting"], &json["failed"], &json["malformed"]), (&most.into(), &1.into(), &2.into()));
    }
    for query in ["?state=lost", "?limit=0", "?limit=501", "?limit=x", "?page=2"] {
        page(query).await.problem("invalid-parameter", 400);
    }
    house.get("/api/v1/admin/callbacks").await.problem("unauthorized", 401);
}
