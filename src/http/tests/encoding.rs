//! Compression, and what it must leave alone.

use actix_web::dev::Decompress;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentEncoding;
use actix_web::test::TestRequest;
use bytes::Bytes;
use futures_util::StreamExt;

use super::fixture::{DETAILED, House, Reply, served};

fn accepting(encodings: &str) -> TestRequest {
    TestRequest::get().uri(DETAILED).insert_header(("accept-encoding", encodings))
}

async fn decoded(reply: &Reply, encoding: ContentEncoding) -> Vec<u8> {
    let packed = futures_util::stream::iter([Ok::<_, actix_web::error::PayloadError>(reply.body.clone())]);
    let chunks: Vec<Bytes> = Decompress::new(packed, encoding).map(Result::unwrap).collect().await;
    chunks.concat()
}

#[actix_web::test]
async fn every_encoding_comes_back_as_the_same_bytes() {
    let plain = House::serving(served()).get(DETAILED).await;
    let codings = [("gzip", ContentEncoding::Gzip), ("br", ContentEncoding::Brotli), ("zstd", ContentEncoding::Zstd)];
    let ways = [House::serving(served()), House::near(served())];
    for (house, (name, encoding)) in ways.iter().flat_map(|house| codings.map(|coding| (house, coding))) {
        let reply = house.call(accepting(name)).await;
        assert_eq!(reply.header("content-encoding"), name);
        assert_eq!(reply.header("vary"), "accept-encoding");
        assert_eq!(reply.headers.get_all("vary").count(), 1);
        assert_eq!(reply.header("etag"), plain.header("etag"));
        assert!(reply.body.len() < plain.body.len() / 4);
        assert_eq!(decoded(&reply, encoding).await, plain.body);
    }
}

#[actix_web::test]
async fn an_answer_is_given_whatever_is_acceptable() {
    let house = House::serving(served());
    for strange in ["identity", "compress", "identity;q=0", "*;q=0", "", ";;,", "gzip;q=abc", "br;q=0, gzip;q=0"] {
        let reply = house.call(accepting(strange)).await;
        assert_eq!(reply.status, StatusCode::OK, "{strange}");
        assert_eq!(reply.header("content-encoding").is_empty(), reply.body.first() == Some(&b'{'), "{strange}");
    }
}

#[actix_web::test]
async fn small_bodies_stay_as_they_are() {
    let house = House::serving(served());
    let live = TestRequest::get().uri("/health/live").insert_header(("accept-encoding", "gzip, br"));
    let reply = house.call(live).await;
    assert_eq!((reply.header("content-encoding"), reply.header("vary")), ("", "accept-encoding"));
    assert_eq!(reply.json()["status"], "live");
    let held = accepting("gzip").insert_header(("if-none-match", "*"));
    let unchanged = house.call(held).await;
    assert_eq!((unchanged.status, unchanged.header("content-encoding")), (StatusCode::NOT_MODIFIED, ""));
}

/// A near hit is compressed once, whoever asks for it how often.
#[actix_web::test]
async fn a_near_hits_compressed_body_is_shared() {
    let hit = served();
    let house = House::near(hit.clone());
    let (first, second) = (house.call(accepting("gzip, br;q=0.5")).await, house.call(accepting("gzip")).await);
    assert_eq!((first.header("content-encoding"), first.body.as_ptr()), ("gzip", second.body.as_ptr()));
    assert!(house.asked().is_empty(), "neither went the usual way");
}

#[actix_web::test]
async fn a_near_hit_is_given_whatever_is_acceptable() {
    for strange in ["identity", "compress", "identity;q=0", "*;q=0", "", ";;,", "gzip;q=abc", "br;q=0, gzip;q=0"] {
        let house = House::near(served());
        let reply = house.call(accepting(strange)).await;
        let went_short = house.asked().is_empty();
        assert_eq!(reply.status == StatusCode::OK, went_short, "{strange}");
        let is_plain = reply.body.first() == Some(&b'{');
        assert!(!went_short || reply.header("content-encoding").is_empty() == is_plain, "{strange}");
    }
}
