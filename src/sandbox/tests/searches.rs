//! The simulated DataJud as a client sees it.

use super::*;

impl Vendor {
    async fn search(&self, index: &str, key: &str, query: &Value) -> Response {
        let url = format!("{}/api_publica_{index}/_search", self.sandbox.base_url());
        self.client.post(url).header("Authorization", key).json(query).send().await.unwrap()
    }

    async fn found(&self, index: &str, number: &str) -> Value {
        let query = json!({"query": {"match": {"numeroProcesso": number}}});
        let response = self.search(index, "ApiKey k", &query).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }
}

const DIGITS: &str = "00000013920248260100";

#[actix_web::test]
async fn a_search_finds_a_number_in_its_courts_index_only() {
    let vendor = Vendor::usual().await;
    let found = vendor.found("tjsp", DIGITS).await;
    let hits = found["hits"]["hits"].as_array().unwrap();
    assert!((1..=3).contains(&hits.len()) && found["hits"]["total"]["value"] == hits.len());
    assert_eq!(
        (&hits[0]["_index"], &hits[0]["_source"]["numeroProcesso"]),
        (&json!("api_publica_tjsp"), &json!(DIGITS))
    );
    assert!(hits[0].get("sort").is_some() && hits[0]["_source"]["nivelSigilo"] == 0);
    assert_eq!(found, vendor.found("tjsp", DIGITS).await, "the same every time");
    for (index, number) in
        [("tjrj", DIGITS), ("tjsp", "99990013920248260100"), ("tjsp", "99980013920248260100"), ("tjsp", "x")]
    {
        assert_eq!(vendor.found(index, number).await["hits"]["total"]["value"], 0, "{index} {number}");
    }
    assert_eq!((vendor.control().call_count(Endpoint::Search), vendor.control().charged()), (6, 0));
    assert_eq!(vendor.control().calls()[0].number.as_deref(), Some(NUMBER));
}

#[actix_web::test]
async fn what_the_real_one_refuses_is_refused() {
    let vendor = Vendor::usual().await;
    let query = |extra: Value| {
        let mut query = json!({"query": {"match": {"numeroProcesso": DIGITS}}});
        query.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        query
    };
    let plain = query(json!({}));
    for (index, key, query, status, kind) in [
        ("tjsp", "Bearer k", plain.clone(), 401, "security_exception"),
        ("tjsp", "APIKey ", plain.clone(), 401, "security_exception"),
        ("tre-dft", "APIKey k", plain.clone(), 404, "index_not_found_exception"),
        ("*", "APIKey k", plain, 404, "index_not_found_exception"),
        ("tjsp", "APIKey k", json!({"query": {}}), 400, "parsing_exception"),
        ("tjsp", "APIKey k", query(json!({"size": 10_001})), 400, "illegal_argument_exception"),
        ("tjsp", "APIKey k", query(json!({"sort": [{"id": "asc"}]})), 400, "search_phase_execution_exception"),
        ("tjsp", "APIKey k", query(json!({"search_after": [1]})), 400, "illegal_argument_exception"),
    ] {
        let response = vendor.search(index, key, &query).await;
        assert_eq!(response.status().as_u16(), status, "{index} {query}");
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["status"], &body["error"]["type"]), (&json!(status), &json!(kind)), "{query}");
    }
}

#[actix_web::test]
async fn the_two_vendors_fail_apart() {
    let vendor = Vendor::usual().await;
    vendor.control().set_outage(Outage::Reset);
    vendor.control().set_fault(Fault::Html500, None, None);
    vendor.found("tjsp", DIGITS).await;
    assert!(vendor.try_get(&vendor.url(NUMBER)).await.is_err());
    vendor.control().set_outage(Outage::None);
    vendor.control().clear_faults();
    vendor.control().set_fault(Fault::Search(SearchFault::Gateway504), Some(Endpoint::Search), None);
    assert_eq!(vendor.get(NUMBER).await.status(), StatusCode::OK);
    let query = json!({"query": {"match": {"numeroProcesso": DIGITS}}});
    let response = vendor.search("tjsp", "APIKey k", &query).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"));
}

#[actix_web::test]
async fn everybody_shares_one_minute_and_courts_are_late() {
    let datajud = DatajudSandbox { requests_per_minute: 1, lag_days: 7, ..DatajudSandbox::default() };
    let vendor = Vendor::start(SandboxSettings { datajud, ..SandboxSettings::default() }).await;
    vendor.shape(3);
    vendor.control().add_movement(NUMBER, SystemClock.now().date_naive(), "Arquivado definitivamente").unwrap();
    let found = vendor.found("tjsp", DIGITS).await;
    let movements = |hit: &Value| hit["_source"]["movimentos"].as_array().unwrap().clone();
    let held: Vec<Value> = found["hits"]["hits"].as_array().unwrap().iter().flat_map(movements).collect();
    assert!(held.len() >= 3 && held.iter().all(|movement| movement["codigo"] != 246), "today's is not handed in yet");
    let query = json!({"query": {"match": {"numeroProcesso": DIGITS}}});
    assert_eq!(vendor.search("tjsp", "APIKey k", &query).await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(vendor.get(NUMBER).await.status(), StatusCode::OK, "the other vendor's minute is its own");
}
