//! Every fault is seen from outside as what it claims to be.

use super::*;

#[actix_web::test]
async fn answers_that_are_errors_by_fault() {
    let vendor = Vendor::usual().await;
    let control = vendor.control();
    let limited =
        |retry_after: Option<&str>, html| Fault::RateLimited { retry_after: retry_after.map(str::to_owned), html };
    for (fault, status, html) in [
        (Fault::Html500, 500, true),
        (Fault::Json503, 503, false),
        (limited(Some("7"), false), 429, false),
        (limited(None, true), 429, true),
        (Fault::Unauthorized, 401, false),
        (Fault::NoCredit, 402, false),
        (Fault::Blocked403, 403, false),
        (Fault::ErrorsAsEmptyArray, 422, false),
        (Fault::Redirect("http://127.0.0.1:9/x".to_owned()), 302, true),
    ] {
        control.set_fault(fault.clone(), Some(Endpoint::Cover), Some(1));
        assert_eq!(vendor.get(&format!("{NUMBER}/status-atualizacao")).await.status(), 200);
        let answer = vendor.get(NUMBER).await;
        assert_eq!(answer.status(), status, "{fault:?}");
        let (retry, location) =
            (answer.headers().get("Retry-After").cloned(), answer.headers().get("Location").cloned());
        assert_eq!(retry.is_some(), fault == limited(Some("7"), false));
        assert_eq!(location.is_some(), matches!(fault, Fault::Redirect(_)));
        let text = answer.text().await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).is_err(), html, "{text}");
        assert_eq!(control.calls().last().unwrap().fault, Some(fault.as_str()));
    }
    assert_eq!(control.charged(), 0);
    assert_eq!(vendor.get(NUMBER).await.status(), 200);
}

#[actix_web::test]
async fn answers_that_are_broken_on_the_way() {
    let vendor = Vendor::usual().await;
    let control = vendor.control();
    for _ in 0..20 {
        control.set_fault(Fault::Truncated, Some(Endpoint::Movements), Some(1));
        let mut answer = vendor.get(&format!("{NUMBER}/movimentacoes?limit=500")).await;
        assert!(answer.chunk().await.unwrap().is_some_and(|first| first.starts_with(b"{")));
        assert!(answer.bytes().await.is_err());
    }
    assert_eq!(control.charged(), 6000);
    control.reset_calls();
    control.set_fault(Fault::CutJson, None, Some(1));
    let cut = vendor.get(NUMBER).await.text().await.unwrap();
    assert!(!cut.is_empty() && serde_json::from_str::<Value>(&cut).is_err());
    assert_eq!(control.charged(), 300);
    control.set_fault(Fault::Reset, None, Some(1));
    assert!(vendor.try_get(&vendor.url(NUMBER)).await.unwrap_err().is_request());
    assert_eq!((control.charged(), control.calls().last().unwrap().status), (300, None));
    let hurried = |url: String| vendor.client.get(url).bearer_auth("k").timeout(Duration::from_millis(300)).send();
    control.set_fault(Fault::NeverEnds, None, Some(1));
    assert!(hurried(vendor.url(NUMBER)).await.unwrap().bytes().await.unwrap_err().is_timeout());
    control.set_fault(Fault::ChargedTimeout, None, Some(1));
    assert!(hurried(vendor.url(NUMBER)).await.unwrap_err().is_timeout());
    assert_eq!((control.charged(), control.calls().last().unwrap().status), (900, None));
    control.set_fault(Fault::Slow(Duration::from_millis(400)), None, Some(1));
    assert!(hurried(vendor.url(NUMBER)).await.unwrap_err().is_timeout());
    assert_eq!(vendor.get(NUMBER).await.status(), 200);
    assert!(control.peak_in_flight() >= 1);
    let deadline = SystemClock.monotonic() + Duration::from_secs(5);
    while control.in_flight() > 0 {
        assert!(SystemClock.monotonic() < deadline, "a client that left must free its request");
        actix_web::rt::time::sleep(Duration::from_millis(5)).await;
    }
}

#[actix_web::test]
async fn answers_that_mislead() {
    let vendor = Vendor::usual().await;
    let control = vendor.control();
    vendor.shape(130);
    let spoiled = |fault: Fault| {
        control.clear_faults();
        control.set_fault(fault, Some(Endpoint::Movements), None);
        vendor.movements("limit=50")
    };
    let next = |page: &Value| page["links"]["next"].as_str().unwrap().to_owned();
    assert!(
        next(&spoiled(Fault::NextToOtherHost("http://127.0.0.2:9".to_owned())).await)
            .starts_with("http://127.0.0.2:9/api/v2/")
    );
    assert!(next(&spoiled(Fault::NextHttp).await).starts_with("http://api.escavador.com/api/v2/"));
    let looping = next(&spoiled(Fault::NextLoops).await);
    assert!(looping.ends_with("movimentacoes?limit=50") && looping.starts_with(&vendor.sandbox.base_url()));
    let first = next(&spoiled(Fault::NextRepeatsCursor).await);
    let second: Value = vendor.try_get(&first).await.unwrap().json().await.unwrap();
    let cursor = |url: &str| url.split("cursor=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    assert_eq!(cursor(&first), cursor(&next(&second)));
    assert!(spoiled(Fault::GrauAsString).await["items"][0]["fonte"]["grau"].is_string());
    assert!(spoiled(Fault::NullsInRequired).await["items"][0]["conteudo"].is_null());
    assert!(spoiled(Fault::WrongShape).await.get("items").is_none());
    control.clear_faults();
    assert_eq!(ids(&vendor.movements("limit=50").await).len(), 50);
}

#[actix_web::test]
async fn an_outage_comes_and_goes_and_a_closed_port_opens_again() {
    let vendor = Vendor::usual().await;
    let control = vendor.control().clone();
    control.set_unavailable(true);
    assert!(vendor.try_get(&vendor.url(NUMBER)).await.is_err());
    control.set_outage(Outage::ServiceUnavailable);
    assert_eq!(vendor.get(NUMBER).await.status(), 503);
    control.set_unavailable(false);
    assert_eq!(vendor.get(NUMBER).await.status(), 200);
    let (url, address) = (vendor.url(NUMBER), vendor.sandbox.reachable());
    vendor.sandbox.stop().await;
    assert!(client().get(&url).send().await.unwrap_err().is_connect());
    let again = Sandbox::resume(control, address).await.unwrap();
    assert_eq!(client().get(&url).bearer_auth("k").send().await.unwrap().status(), 200);
    assert_eq!(again.control().call_count(Endpoint::Cover), 4);
}
