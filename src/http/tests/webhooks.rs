//! The admin pages of webhooks over a desk that notes what it is asked.

use std::sync::{Arc, Mutex};

use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use chrono::DateTime;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

use super::fixture::{ADMIN_TOKEN, CNJ, House, Reply, served};
use crate::domain::cnj::Cnj;
use crate::notifier::WebhookDesk;
use crate::notifier::address::Forbidden;
use crate::notifier::desk::{DeskError, NewSubscriber};
use crate::notifier::target::TargetError;
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::webhooks::messages::{DeadDelivery, Subscriber};

const HOOKS: &str = "/api/v1/admin/webhooks";

/// A desk that nobody may come to.
pub(super) struct NoWebhooks;

impl WebhookDesk for NoWebhooks {
    fn add(&self, url: String, _: Option<Cnj>) -> BoxFuture<'_, Result<NewSubscriber, DeskError>> {
        panic!("nobody may add {url}")
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Subscriber>, DeskError>> {
        panic!("nobody may ask for the list")
    }

    fn remove(&self, id: String) -> BoxFuture<'_, Result<(), DeskError>> {
        panic!("nobody may remove {id}")
    }

    fn dead(&self, _: Option<i64>, _: usize) -> BoxFuture<'_, Result<Vec<DeadDelivery>, DeskError>> {
        panic!("nobody may ask for the dead")
    }

    fn replay(&self, id: i64) -> BoxFuture<'_, Result<(), DeskError>> {
        panic!("nobody may replay {id}")
    }
}

/// A desk that answers `error` to everything, or else something.
#[derive(Default)]
struct Desk {
    error: Option<DeskError>,
    asked: Mutex<Vec<String>>,
}

impl Desk {
    fn answer<T: Send + 'static>(&self, asked: String, answer: T) -> BoxFuture<'_, Result<T, DeskError>> {
        self.asked.lock().unwrap().push(asked);
        ready(self.error.map_or(Ok(answer), Err)).boxed()
    }
}

impl WebhookDesk for Desk {
    fn add(&self, url: String, cnj: Option<Cnj>) -> BoxFuture<'_, Result<NewSubscriber, DeskError>> {
        let created_at = DateTime::from_timestamp(1_767_268_800, 0).unwrap();
        let asked = format!("add {url} {:?}", cnj.map(|cnj| cnj.masked()));
        self.answer(asked, NewSubscriber { id: "whk_1".into(), url, secret: "whsec_x".into(), created_at })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Subscriber>, DeskError>> {
        self.answer("list".into(), Vec::new())
    }

    fn remove(&self, id: String) -> BoxFuture<'_, Result<(), DeskError>> {
        self.answer(format!("remove {id}"), ())
    }

    fn dead(&self, before: Option<i64>, most: usize) -> BoxFuture<'_, Result<Vec<DeadDelivery>, DeskError>> {
        self.answer(format!("dead {before:?} {most}"), Vec::new())
    }

    fn replay(&self, id: i64) -> BoxFuture<'_, Result<(), DeskError>> {
        self.answer(format!("replay {id}"), ())
    }
}

fn house(error: Option<DeskError>) -> (House, Arc<Desk>) {
    let (mut house, desk) = (House::serving(served()), Arc::new(Desk { error, ..Desk::default() }));
    house.state.webhooks = Arc::<Desk>::clone(&desk);
    (house, desk)
}

async fn call(house: &House, method: Method, uri: &str, body: &str) -> Reply {
    let request = TestRequest::default().method(method).uri(uri).peer_addr("192.0.2.1:9".parse().unwrap());
    let request = request.insert_header(("authorization", format!("Bearer {ADMIN_TOKEN}")));
    house.call(request.set_payload(body.to_owned())).await
}

#[actix_web::test]
async fn a_subscriber_is_made_and_its_secret_shown() {
    let (house, desk) = house(None);
    let reply = call(&house, Method::POST, HOOKS, &format!(r#"{{"url":"https://a.example/x","cnj":"{CNJ}"}}"#)).await;
    assert_eq!((reply.status, reply.header("cache-control")), (StatusCode::CREATED, "no-store"));
    let json = reply.json();
    assert_eq!((&json["id"], &json["secret"], &json["cnj"]), (&"whk_1".into(), &"whsec_x".into(), &CNJ.into()));
    assert_eq!(json["created_at"], "2026-01-01T12:00:00.000Z");
    call(&house, Method::POST, HOOKS, r#"{"url":"https://b.example"}"#).await;
    let expected = [format!("add https://a.example/x Some(\"{CNJ}\")"), "add https://b.example None".to_owned()];
    assert_eq!(*desk.asked.lock().unwrap(), expected);
}

#[actix_web::test]
async fn bad_input_is_refused_in_words_before_anything_is_done() {
    let (house, desk) = house(None);
    for body in ["", "{", "[]", "{}", r#"{"url":1}"#, r#"{"url":"https://a.example","extra":1}"#, "\u{0}"] {
        let detail = call(&house, Method::POST, HOOKS, body).await.problem("invalid-parameter", 400);
        assert!(detail.contains("\"url\""), "{detail}");
    }
    let wrong_number = r#"{"url":"https://a.example","cnj":"123"}"#;
    call(&house, Method::POST, HOOKS, wrong_number).await.problem("invalid-cnj", 422);
    let large = format!(r#"{{"url":"{}"}}"#, "x".repeat(70_000));
    call(&house, Method::POST, HOOKS, &large).await.problem("payload-too-large", 413);
    for query in ["limit=0", "limit=501", "limit=x", "cursor=x", "cursor=", "other=1", "limit=1&limit=2"] {
        let reply = call(&house, Method::GET, &format!("{HOOKS}/dead?{query}"), "").await;
        reply.problem("invalid-parameter", 400);
    }
    call(&house, Method::POST, &format!("{HOOKS}/dead/x/replay"), "").await.problem("not-found", 404);
    assert!(desk.asked.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn every_page_asks_the_desk() {
    let (house, desk) = house(None);
    for (method, page, status) in [
        (Method::GET, "", 200),
        (Method::HEAD, "", 200),
        (Method::GET, "/dead", 200),
        (Method::GET, "/dead?cursor=9&limit=2", 200),
        (Method::POST, "/dead/7/replay", 202),
        (Method::DELETE, "/whk_1", 204),
    ] {
        let reply = call(&house, method, &format!("{HOOKS}{page}"), "").await;
        assert_eq!(reply.status.as_u16(), status, "{page}");
    }
    let expected = ["list", "list", "dead None 50", "dead Some(9) 2", "replay 7", "remove whk_1"];
    assert_eq!(*desk.asked.lock().unwrap(), expected);
    for (page, allow) in
        [("", "GET, HEAD, POST"), ("/dead", "GET, HEAD"), ("/dead/7/replay", "POST"), ("/whk_1", "DELETE")]
    {
        let reply = call(&house, Method::PUT, &format!("{HOOKS}{page}"), "").await;
        reply.problem("method-not-allowed", 405);
        assert_eq!(reply.header("allow"), allow);
    }
}

#[actix_web::test]
async fn what_the_desk_refuses_is_said_with_what_to_do() {
    let body = r#"{"url":"https://a.example"}"#;
    for (error, slug, status, says) in [
        (TargetError::Forbidden(Forbidden::Loopback).into(), "invalid-parameter", 400, "JUSCACHE_WEBHOOK_PRIVATE=true"),
        (TargetError::Unresolved.into(), "invalid-parameter", 400, "não foi encontrado"),
        (TargetError::Credentials.into(), "invalid-parameter", 400, "usuário ou senha"),
        (TargetError::NotAnAddress.into(), "invalid-parameter", 400, "http ou https"),
        (DeskError::Full, "invalid-parameter", 400, "DELETE"),
        (DeskError::Away(PostgresError::Away), "overloaded", 503, "banco de dados"),
        (DeskError::Unknown, "not-found", 404, ""),
    ] {
        let (house, _) = house(Some(error));
        let detail = call(&house, Method::POST, HOOKS, body).await.problem(slug, status);
        assert!(detail.contains(says), "{detail}");
    }
}
