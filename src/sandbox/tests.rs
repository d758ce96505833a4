//! The sandbox as a client sees it, over real connections.

mod callbacks;
mod changes;
mod faults;
mod monitors;
mod searches;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::ambient::{Clock, ShiftedClock, SystemClock};

const NUMBER: &str = "0000001-39.2024.8.26.0100";
const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn client() -> Client {
    // A second install is refused, which is as good as the first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap()
}

struct Vendor {
    sandbox: Sandbox,
    client: Client,
}

impl Vendor {
    async fn start(settings: SandboxSettings) -> Self {
        let sandbox = Sandbox::start(settings, LOCAL, SystemClock::shared()).await.unwrap();
        Self { sandbox, client: client() }
    }

    async fn usual() -> Self {
        Self::start(SandboxSettings::default()).await
    }

    fn url(&self, tail: &str) -> String {
        format!("{}/api/v2/processos/numero_cnj/{tail}", self.sandbox.base_url())
    }

    async fn try_get(&self, url: &str) -> reqwest::Result<Response> {
        self.client.get(url).bearer_auth("key").header("X-Requested-With", "XMLHttpRequest").send().await
    }

    async fn get(&self, tail: &str) -> Response {
        self.try_get(&self.url(tail)).await.unwrap()
    }

    async fn json(&self, tail: &str) -> Value {
        self.get(tail).await.json().await.unwrap()
    }

    async fn movements(&self, query: &str) -> Value {
        self.json(&format!("{NUMBER}/movimentacoes?{query}")).await
    }

    fn control(&self) -> &Control {
        self.sandbox.control()
    }

    fn shape(&self, movements: usize) {
        self.control().set_process(NUMBER, &ProcessShape { movements: Some(movements), ..Default::default() });
    }
}

fn ids(page: &Value) -> Vec<i64> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

#[actix_web::test]
async fn two_sandboxes_with_one_seed_answer_alike_and_another_seed_does_not() {
    let (first, second) = (Vendor::usual().await, Vendor::usual().await);
    let other = Vendor::start(SandboxSettings { seed: 2, ..Default::default() }).await;
    let page = first.movements("limit=500").await;
    assert_eq!(page["items"], second.movements("limit=500").await["items"]);
    assert_ne!(page["items"], other.movements("limit=500").await["items"]);
    let cover = first.json(NUMBER).await;
    assert_eq!(cover["fontes"][0]["envolvidos"], second.json(NUMBER).await["fontes"][0]["envolvidos"]);
    assert_eq!(cover["numero_cnj"], NUMBER);
    assert_eq!(first.json("00000013920248260100").await["numero_cnj"], NUMBER);
    assert_eq!(cover["fontes"][0]["sigla"], "TJSP");
    let sum: i64 =
        cover["fontes"].as_array().unwrap().iter().map(|f| f["quantidade_movimentacoes"].as_i64().unwrap()).sum();
    assert_eq!(cover["quantidade_movimentacoes"], sum);
    assert_eq!(cover["data_ultima_verificacao"], first.json(NUMBER).await["data_ultima_verificacao"]);
    first.sandbox.stop().await;
}

#[actix_web::test]
async fn both_orders_walk_every_movement_once_and_pay_once() {
    for (query, repeats) in [("limit=50&ordem=asc", true), ("limit=50", true), ("", true), ("limit=100", false)] {
        let vendor = Vendor::start(SandboxSettings { links_repeat_parameters: repeats, ..Default::default() }).await;
        vendor.shape(203);
        let mut expected = vendor.control().movement_ids(NUMBER);
        if query.contains("asc") {
            expected.reverse();
        }
        let mut walked = Vec::new();
        let mut url = vendor.url(&format!("{NUMBER}/movimentacoes?{query}"));
        loop {
            let page: Value = vendor.try_get(&url).await.unwrap().json().await.unwrap();
            walked.extend(ids(&page));
            assert!(walked.len() <= 203);
            match page["links"]["next"].as_str() {
                Some(next) => url = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(walked, expected, "{query}");
        assert_eq!(vendor.control().charged(), 300, "{query}");
        assert!(vendor.control().call_count(Endpoint::Movements) > 2);
    }
}

#[actix_web::test]
async fn a_cursor_without_its_own_li_is_charged_again() {
    let vendor = Vendor::usual().await;
    vendor.shape(120);
    let next = vendor.movements("limit=50").await["links"]["next"].as_str().unwrap().to_owned();
    let without = next.split("&li=").next().unwrap();
    vendor.try_get(without).await.unwrap();
    assert_eq!(vendor.control().charged(), 600);
    vendor.try_get(&next).await.unwrap();
    assert_eq!(vendor.control().charged(), 600);
}

#[actix_web::test]
async fn what_is_wrong_gets_the_documented_error_and_costs_nothing() {
    let settings = SandboxSettings { api_key: Some("key".to_owned()), check_dv: true, ..Default::default() };
    let vendor = Vendor::start(settings).await;
    let bare = vendor.client.get(vendor.url(NUMBER)).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    let wrong = vendor.client.get(vendor.url(NUMBER)).bearer_auth("other").send().await.unwrap();
    assert_eq!(
        (wrong.status(), wrong.json::<Value>().await.unwrap()),
        (StatusCode::UNAUTHORIZED, json!({"error": "Unauthenticated"}))
    );
    for (tail, status, pointer, value) in [
        ("123", 422, "/code", "NUMERO_CNJ_INVALIDO"),
        ("1234567-89.2024.8.26.0100", 422, "/code", "NUMERO_CNJ_INVALIDO"),
        ("9999001-28.2024.8.26.0100", 404, "/error", "NotFound"),
        ("9999001-28.2024.8.26.0100/envolvidos", 404, "/code", "NOT_FOUND"),
        ("0000001-39.2024.8.26.0100/documentos", 404, "/error", "NotFound"),
    ] {
        let answer = vendor.get(tail).await;
        assert!(!answer.headers().contains_key("Creditos-Utilizados"));
        assert_eq!(answer.status(), status, "{tail}");
        assert_eq!(answer.json::<Value>().await.unwrap().pointer(pointer).unwrap(), value, "{tail}");
    }
    let refused = vendor.get(&format!("{NUMBER}/movimentacoes?limit=49")).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.json::<Value>().await.unwrap()["errors"]["limit"].is_array());
    let status = vendor.json("9999001-28.2024.8.26.0100/status-atualizacao").await;
    assert!(status["data_ultima_verificacao"].is_null() && status["ultima_verificacao"].is_null());
    assert_eq!(vendor.control().charged(), 0);
}

#[actix_web::test]
async fn credits_run_out_and_calls_and_charges_are_counted() {
    let vendor = Vendor::start(SandboxSettings { credits_centavos: 500, ..Default::default() }).await;
    let cover = vendor.get(NUMBER).await;
    assert_eq!(cover.headers()["Creditos-Utilizados"], "300");
    assert_eq!(vendor.get(&format!("{NUMBER}/movimentacoes")).await.status(), 200);
    assert_eq!(vendor.get(NUMBER).await.status(), 402);
    let free = vendor.get(&format!("{NUMBER}/status-atualizacao")).await;
    assert_eq!((free.status(), &free.headers()["Creditos-Utilizados"]), (StatusCode::OK, &"0".parse().unwrap()));
    let balance = vendor.try_get(&format!("{}/api/v1/quantidade-creditos", vendor.sandbox.base_url())).await.unwrap();
    assert_eq!(
        balance.json::<Value>().await.unwrap(),
        json!({"quantidade_creditos": -100, "saldo": -1.00, "saldo_descricao": "R$ -1,00"})
    );
    let control = vendor.control();
    assert_eq!((control.call_count(Endpoint::Cover), control.charged(), control.calls().len()), (2, 600, 5));
    let call = control.calls()[0].clone();
    assert_eq!((call.status, call.centavos, call.number.as_deref()), (Some(200), 300, Some(NUMBER)));
    assert_eq!(call.authorization.as_deref(), Some("Bearer key"));
    control.set_credits(1);
    assert_eq!(vendor.get(NUMBER).await.status(), 200);
    control.reset_calls();
    assert_eq!((control.call_count(Endpoint::Cover), control.charged(), control.calls().len()), (0, 0, 0));
}

#[actix_web::test]
async fn the_rate_limit_answers_429_with_a_wait() {
    let vendor = Vendor::start(SandboxSettings { requests_per_minute: 2, ..Default::default() }).await;
    vendor.get(NUMBER).await;
    vendor.get(NUMBER).await;
    let limited = vendor.get(NUMBER).await;
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["Retry-After"], "31");
}

#[actix_web::test]
async fn a_listed_base_knows_its_numbers_only_and_a_named_process_joins_it() {
    let known = Known::Listed(vec![NUMBER.to_owned()]);
    let vendor = Vendor::start(SandboxSettings { known, ..Default::default() }).await;
    let other = "0000832-35.2018.4.01.3202";
    assert_eq!(
        (vendor.get(NUMBER).await.status(), vendor.get(other).await.status()),
        (StatusCode::OK, StatusCode::NOT_FOUND)
    );
    vendor.control().set_process(other, &ProcessShape::default());
    assert_eq!(vendor.json(other).await["fontes"][0]["sigla"], "TRF1");
}
