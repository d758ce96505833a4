//! Callbacks: what they say, how they are sent, and what the log tells of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};

use super::*;

const LOG: &str = "/api/v2/callbacks";

/// Somebody's address that callbacks are sent to.
struct Receiver {
    got: Arc<Mutex<Vec<(String, Value)>>>,
    status: Arc<AtomicU16>,
    url: String,
    handle: actix_web::dev::ServerHandle,
}

impl Receiver {
    fn start(status: u16) -> Self {
        let got: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let status = Arc::new(AtomicU16::new(status));
        let (into, says) = (Arc::clone(&got), Arc::clone(&status));
        let server = HttpServer::new(move || {
            let (into, says) = (Arc::clone(&into), Arc::clone(&says));
            App::new().default_service(web::to(move |request: HttpRequest, body: Bytes| {
                let header = request.headers().get("Authorization").unwrap().to_str().unwrap().to_owned();
                into.lock().unwrap().push((header, serde_json::from_slice(&body).unwrap()));
                let status = StatusCode::from_u16(says.load(Ordering::SeqCst)).unwrap();
                async move { HttpResponse::build(actix_web::http::StatusCode::from_u16(status.as_u16()).unwrap()).finish() }
            }))
        });
        let server = server.workers(1).disable_signals().bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}/webhooks", server.addrs()[0]);
        let running = server.run();
        let handle = running.handle();
        #[expect(clippy::disallowed_methods, reason = "the test owns the server and ends it")]
        drop(actix_web::rt::spawn(running));
        Self { got, status, url, handle }
    }

    fn got(&self) -> Vec<(String, Value)> {
        self.got.lock().unwrap().clone()
    }

    async fn wait_for(&self, count: usize) -> Vec<(String, Value)> {
        for _ in 0..1_000 {
            if self.got().len() >= count {
                return self.got();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} callbacks did not come: {:?}", self.got())
    }
}

async fn followed(style: TokenStyle, receiver: &Receiver) -> (Vendor, Arc<ShiftedClock>) {
    let (vendor, clock) = Vendor::patient().await;
    vendor.monitor(NUMBER).await;
    vendor.control().deliver_callbacks_to(&receiver.url, "secret", style);
    clock.advance(Duration::from_secs(3));
    receiver.wait_for(1).await;
    (vendor, clock)
}

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 10, 1).unwrap()
}

#[actix_web::test]
async fn every_event_is_told_in_its_documented_form() {
    let receiver = Receiver::start(200);
    let (vendor, clock) = followed(TokenStyle::Bearer, &receiver).await;
    let control = vendor.control();
    for style in [MovementStyle::Full, MovementStyle::Bare] {
        control.set_process(NUMBER, &ProcessShape { style: Some(style), movements: Some(3), ..Default::default() });
        let before = receiver.got().len();
        let id = control.add_movement(NUMBER, day(), "Concedida a Antecipação de tutela").unwrap();
        let (header, told) = receiver.wait_for(before + 1).await.pop().unwrap();
        assert_eq!(header, "Bearer secret");
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&told), ["event", "monitoramento", "movimentacao", "uuid"]);
        assert_eq!((&told["event"], &told["movimentacao"]["id"]), (&json!("nova_movimentacao"), &json!(id)));
        assert_eq!(
            (&told["monitoramento"]["status"], &told["monitoramento"]["numero"]),
            (&json!("ENCONTRADO"), &json!(NUMBER))
        );
        let full = told["movimentacao"].get("tipo_publicacao").is_some();
        let source = told["movimentacao"]["fonte"].get("processo_fonte_id").is_some();
        assert_eq!((full, source), (style == MovementStyle::Full, style == MovementStyle::Full));
        assert_eq!(told["uuid"].as_str().unwrap().len(), 32);
        // The vendor looks at the court and finds what was added: no word of "nothing new".
        control.verify(NUMBER, clock.now());
    }
    let before = receiver.got().len();
    let at = clock.now();
    control.verify(NUMBER, at);
    let (_, told) = receiver.wait_for(before + 1).await.pop().unwrap();
    assert_eq!((&told["event"], &told["verificado_em"]), (&json!("processo_verificado"), &json!(wire::instant(at))));
    assert_eq!(told["monitoramento"]["data_ultima_verificacao"], told["verificado_em"]);

    let ask = format!("/api/v2/processos/numero_cnj/{NUMBER}/solicitar-atualizacao");
    control.plan_update(NUMBER, UpdatePlan { outcome: UpdateOutcome::Failed, movements: Vec::new() });
    vendor.post(&ask, &json!({"enviar_callback": 0})).await;
    clock.advance(Duration::from_secs(31));
    control.plan_update(NUMBER, UpdatePlan { outcome: UpdateOutcome::NotFound, movements: Vec::new() });
    vendor.post(&ask, &json!({"enviar_callback": 1})).await;
    clock.advance(Duration::from_secs(31));
    let all = receiver.wait_for(before + 2).await;
    let (_, told) = all.last().unwrap();
    let update = &told["atualizacao"];
    assert_eq!(told["event"], "atualizacao_processo_concluida");
    assert_eq!(
        (&update["id"], &update["status"], &update["enviar_callback"]),
        (&json!(2), &json!("NAO_ENCONTRADO"), &json!("SIM"))
    );
    assert!(update["concluido_em"].is_string() && update["numero_cnj"] == NUMBER && update.get("opcoes").is_none());
    assert_eq!(all.len(), before + 2, "the update without a callback told nothing");
    assert_eq!(all[0].1["event"], "processo_encontrado");
    receiver.handle.stop(false).await;
}

#[actix_web::test]
async fn who_is_not_followed_is_not_told_of() {
    let receiver = Receiver::start(204);
    let (vendor, clock) = followed(TokenStyle::Raw, &receiver).await;
    let other = "0000832-35.2018.4.01.3202";
    vendor.control().add_movement(other, day(), "Conclusos").unwrap();
    vendor.control().verify(other, clock.now());
    vendor.control().add_movement(NUMBER, day(), "Conclusos").unwrap();
    let got = receiver.wait_for(2).await;
    assert_eq!((got.len(), got[1].0.as_str()), (2, "secret"));
    assert_eq!(got[1].1["monitoramento"]["numero"], NUMBER);
    receiver.handle.stop(false).await;
}

#[actix_web::test]
async fn what_fails_comes_again_later_under_another_uuid_and_the_log_tells() {
    let receiver = Receiver::start(200);
    let (vendor, clock) = followed(TokenStyle::Raw, &receiver).await;
    receiver.status.store(500, Ordering::SeqCst);
    vendor.control().add_movement(NUMBER, day(), "Conclusos").unwrap();
    receiver.wait_for(2).await;
    let trying = format!("{LOG}?status=em_tentativa&evento=nova_movimentacao");
    let mut page = vendor.read(&trying).await.1;
    for _ in 0..500 {
        if page["items"][0]["next_run_at"].is_string() {
            break;
        }
        page = vendor.read(&trying).await.1;
    }
    let item = &page["items"][0];
    assert_eq!(
        (&item["attempts"], &item["status"], &item["url"]),
        (&json!(1), &json!("Em tentativa"), &json!(receiver.url))
    );
    assert_eq!((&item["delivered_at"], &item["objeto_id"]), (&Value::Null, &json!(1)));
    assert_eq!(item["resultado"], receiver.got()[1].1);
    let (status, refusal) = vendor.post(&format!("{LOG}/{}/reenviar", item["id"]), &json!({})).await;
    assert_eq!((status, refusal), (422, json!({"error": "Unauthenticated"})));
    receiver.status.store(200, Ordering::SeqCst);
    clock.advance(Duration::from_secs(121));
    let got = receiver.wait_for(3).await;
    assert_eq!(got[1].1["movimentacao"], got[2].1["movimentacao"]);
    assert_ne!(got[1].1["uuid"], got[2].1["uuid"]);
    for _ in 0..500 {
        if vendor.control().callbacks()[1].delivered {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (_, done) = vendor.read(&format!("{LOG}?status=sucesso")).await;
    assert_eq!((ids(&done), &done["items"][0]["attempts"]), (vec![2, 1], &json!(2)));
    let (status, said) = vendor.post(&format!("{LOG}/2/reenviar"), &json!({})).await;
    assert_eq!((status, &said["message"]), (200, &json!("Callback reenviado com sucesso!")));
    assert_eq!(receiver.wait_for(4).await[3].1["movimentacao"], got[2].1["movimentacao"]);
    assert_eq!(vendor.post(&format!("{LOG}/99/reenviar"), &json!({})).await.0, 404);
    receiver.handle.stop(false).await;
}

#[actix_web::test]
async fn the_log_has_pages_filters_and_marks() {
    let (vendor, clock) = Vendor::patient().await;
    vendor.monitor(NUMBER).await;
    clock.advance(Duration::from_secs(3));
    let news: Vec<(NaiveDate, String)> = (0..25).map(|at| (day(), format!("Ato {at}"))).collect();
    vendor.control().add_movements(NUMBER, &news);
    let (_, first) = vendor.read(&format!("{LOG}?evento=nova_movimentacao")).await;
    assert_eq!(first["paginator"], json!({"current_page": 1, "per_page": 20, "total": 25, "total_pages": 2}));
    assert_eq!(first["links"]["prev"], Value::Null);
    let next = first["links"]["next"].as_str().unwrap().to_owned();
    let second: Value = vendor.try_get(&next).await.unwrap().json().await.unwrap();
    assert_eq!((ids(&second), &second["links"]["next"]), (vec![6, 5, 4, 3, 2], &Value::Null));
    let moment = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d%%20%H:%M:%S").to_string();
    let now = clock.now();
    let total = async |query: String| vendor.read(&format!("{LOG}?{query}")).await.1["paginator"]["total"].clone();
    assert_eq!(total(format!("data_minima={}", moment(now - chrono::TimeDelta::hours(1)))).await, 26);
    assert_eq!(total(format!("data_minima={}", moment(now + chrono::TimeDelta::hours(1)))).await, 0);
    assert_eq!(total(format!("data_maxima={}", moment(now - chrono::TimeDelta::hours(1)))).await, 0);
    assert_eq!(vendor.read(&format!("{LOG}?data_minima=ontem")).await.0, 422);
    assert_eq!(vendor.post(&format!("{LOG}/marcar-recebidos"), &json!({"ids": [1, 2, 99]})).await, (200, json!([])));
    let many: Vec<u32> = (0..21).collect();
    assert_eq!(vendor.post(&format!("{LOG}/marcar-recebidos"), &json!({"ids": many})).await.0, 422);
    assert_eq!(total("status=sucesso".to_owned()).await, 2);
    assert_eq!(total("status=em_tentativa".to_owned()).await, 24);
}

#[actix_web::test]
async fn duplicates_and_any_order_can_be_switched_on() {
    let receiver = Receiver::start(200);
    let (vendor, _clock) = followed(TokenStyle::Raw, &receiver).await;
    vendor.control().change_callbacks(|callbacks| {
        callbacks.duplicate_percent = 100;
        callbacks.shuffled = true;
    });
    let news: Vec<(NaiveDate, String)> = (0..10).map(|at| (day(), format!("Ato {at}"))).collect();
    let added = vendor.control().add_movements(NUMBER, &news);
    let got = receiver.wait_for(21).await;
    let told: Vec<i64> = got[1..].iter().map(|(_, body)| body["movimentacao"]["id"].as_i64().unwrap()).collect();
    let twice: Vec<i64> = added.iter().flat_map(|id| [*id, *id]).collect();
    assert_ne!(told, twice);
    let mut sorted = told;
    sorted.sort_unstable();
    assert_eq!(sorted, twice);
    let uuids: std::collections::HashSet<String> = got.iter().map(|(_, body)| body["uuid"].to_string()).collect();
    assert_eq!(uuids.len(), 21);
    receiver.handle.stop(false).await;
}
