//! The near hit that is answered before routing.

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;

use super::fixture::{DETAILED, House, SUMMARY, entry, served};
use crate::coordinator::messages::Served;
use crate::domain::sample;

/// The same headers, apart from what names the request, and the same bytes: nobody can tell which way was taken.
#[actix_web::test]
async fn it_gives_the_very_answer_of_the_usual_way() {
    let with_id = || TestRequest::get().uri(DETAILED).insert_header(("x-request-id", "mine"));
    let (usual, short) = (House::serving(served()), House::near(served()));
    let (usual_reply, short_reply) = (usual.call(with_id()).await, short.call(with_id()).await);
    assert!(short.asked().is_empty(), "the chain was not asked");
    let sorted = |headers: &actix_web::http::header::HeaderMap| {
        let mut lines: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&short_reply.headers), sorted(&usual_reply.headers));
    assert_eq!((short_reply.status, short_reply.body), (StatusCode::OK, usual_reply.body));
    let counted = |house: &House| {
        let text = house.state.metrics.render();
        let mut lines: Vec<_> = text.lines().filter(|line| line.contains("_total")).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(counted(&short), counted(&usual));
}

#[actix_web::test]
async fn whatever_changes_the_answer_goes_the_usual_way() {
    for (name, value) in
        [("cache-control", "no-cache"), ("pragma", "no-cache"), ("if-none-match", served().entry.etag())]
    {
        let house = House::near(served());
        house.call(TestRequest::get().uri(DETAILED).insert_header((name, value))).await;
        assert_eq!(house.asked().len(), 1, "{name}");
    }
    for uri in [format!("{DETAILED}?limit=3"), SUMMARY.to_owned()] {
        let house = House::near(served());
        house.get(&uri).await;
        assert_eq!(house.asked().len(), 1, "{uri}");
    }
    let house = House::near(served());
    house.call(TestRequest::default().method(actix_web::http::Method::HEAD).uri(DETAILED)).await;
    assert_eq!(house.asked().len(), 1, "HEAD");
}

#[actix_web::test]
async fn a_sealed_process_is_not_shown() {
    let mut sealed = sample::process(3, 0);
    sealed.cover.sealed = true;
    let house = House::near(Served { entry: entry(sealed), ..served() });
    let reply = house.get(DETAILED).await;
    assert_ne!(reply.status, StatusCode::OK);
    assert!(!String::from_utf8_lossy(&reply.body).contains("petição"));
}
