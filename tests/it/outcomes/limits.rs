//! 429: not one request before the moment that the vendor named, measured where requests arrive.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use juscache::sandbox::Fault;

use super::fixture::{Open, SOON, word};
use crate::support::house::numbers;
use crate::support::wait::eventually;

/// Many readers of many processes go on asking; gives the moments at which requests arrived, the refused one first.
async fn arrivals(open: &Open, advice: String) -> Vec<DateTime<Utc>> {
    open.vendor().set_fault(Fault::RateLimited { retry_after: Some(advice), html: false }, None, Some(1));
    let numbers = numbers(20);
    let first = open.lookup(&numbers[0]).await;
    assert_eq!((first.status, word(&first)), (503, "upstream-unavailable"), "{first:?}");
    assert!((2..=5).contains(&first.header("retry-after").parse().expect("seconds")), "{first:?}");
    assert!(open.is_held("rate-limited").await);
    eventually(SOON, "answers again", async || {
        let answers = futures_util::future::join_all(numbers.iter().map(|cnj| open.lookup(cnj))).await;
        answers.iter().all(|answer| answer.status == 200)
    })
    .await;
    assert!(!open.is_held("rate-limited").await);
    assert_eq!(open.booked().await, open.vendor().charged());
    open.vendor().calls().iter().map(|call| call.at).collect()
}

#[actix_web::test]
async fn advice_in_seconds_is_kept() {
    let open = Open::new("seconds").await;
    let arrived = arrivals(&open, "4".to_owned()).await;
    let pause = arrived[1] - arrived[0];
    assert!(pause >= TimeDelta::seconds(4), "{pause}");
    assert!(pause < TimeDelta::seconds(8), "and not forgotten: {pause}");
    open.close().await;
}

#[actix_web::test]
async fn advice_as_a_date_is_kept() {
    let open = Open::new("date").await;
    let date = open.now() + TimeDelta::seconds(5);
    let arrived = arrivals(&open, date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).await;
    let named = DateTime::from_timestamp(date.timestamp(), 0).expect("a moment");
    assert!(arrived[0] < named);
    assert!(arrived[1] >= named, "{} before {named}", arrived[1]);
    assert!(arrived[1] < named + TimeDelta::seconds(4), "and not forgotten");
    open.close().await;
}

/// The vendor does not say until when: into the next minute, and readers are told so.
#[actix_web::test]
async fn without_advice_nothing_is_asked_before_the_next_minute() {
    let open = Open::new("minute").await;
    open.vendor().set_fault(Fault::RateLimited { retry_after: None, html: true }, None, Some(1));
    let began = open.now();
    let first = open.lookup(&numbers(2)[0]).await;
    let wait: u64 = first.header("retry-after").parse().expect("seconds");
    let until = began + Duration::from_secs(wait);
    assert!(until.timestamp() / 60 > began.timestamp() / 60, "{until} is the minute of {began}");
    let second = open.lookup(&numbers(2)[1]).await;
    assert_eq!((second.status, open.vendor().calls().len()), (503, 1));
    open.close().await;
}
