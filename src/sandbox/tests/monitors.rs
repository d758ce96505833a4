//! Monitors: created, found or not, listed, read, removed.

use super::*;

const LIST: &str = "/api/v2/monitoramentos/processos";
const UNKNOWN: &str = "9999001-28.2024.8.26.0100";

impl Vendor {
    pub(super) async fn patient() -> (Self, Arc<ShiftedClock>) {
        let clock = Arc::new(ShiftedClock::default());
        let sandbox = Sandbox::start(SandboxSettings::default(), LOCAL, clock.clone()).await.unwrap();
        (Self { sandbox, client: client() }, clock)
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url())
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.client.post(self.at(path)).bearer_auth("key").json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(super) async fn read(&self, path: &str) -> (u16, Value) {
        let answer = self.try_get(&self.at(path)).await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(super) async fn monitor(&self, number: &str) -> u64 {
        let (status, created) = self.post(LIST, &json!({"numero": number, "frequencia": "DIARIA"})).await;
        assert_eq!(status, 201);
        created["id"].as_u64().unwrap()
    }
}

#[actix_web::test]
async fn a_monitor_is_pending_then_finds_its_process_or_not() {
    let (vendor, clock) = Vendor::patient().await;
    let answer = vendor.client.post(vendor.at(LIST)).bearer_auth("key").json(&json!({"numero": NUMBER}));
    let answer = answer.send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["Creditos-Utilizados"]),
        (StatusCode::CREATED, &"0".parse().unwrap())
    );
    let created: Value = answer.json().await.unwrap();
    let court = json!([{"id": 102, "nome": "Tribunal de Justiça de São Paulo", "sigla": "TJSP", "categoria": null}]);
    let moment = created["criado_em"].clone();
    let expected = json!({
        "id": 1, "numero": NUMBER, "criado_em": moment, "data_ultima_verificacao": null, "tribunais": court,
        "frequencia": "DIARIA", "status": "PENDENTE",
    });
    assert_eq!(created, expected);
    let call = vendor.control().calls()[0].clone();
    assert_eq!(
        (call.endpoint, call.number.as_deref(), call.status),
        (Endpoint::MonitorCreate, Some(NUMBER), Some(201))
    );
    let missing = vendor.monitor(UNKNOWN).await;
    assert_eq!(vendor.read(&format!("{LIST}/1")).await.1["status"], "PENDENTE");
    assert!(!vendor.control().is_followed(NUMBER));
    clock.advance(Duration::from_secs(3));
    assert_eq!(vendor.read(&format!("{LIST}/1")).await.1["status"], "ENCONTRADO");
    assert_eq!(vendor.read(&format!("{LIST}/{missing}")).await.1["status"], "NAO_ENCONTRADO");
    assert!(vendor.control().is_followed(NUMBER) && !vendor.control().is_followed(UNKNOWN));
    let events: Vec<&str> = vendor.control().callbacks().iter().map(|one| one.event).collect();
    assert_eq!(events, ["processo_encontrado", "processo_nao_encontrado"]);
    assert_eq!(vendor.control().charged(), 0);
}

#[actix_web::test]
async fn a_second_monitor_is_refused_unless_the_first_found_nothing() {
    let (vendor, clock) = Vendor::patient().await;
    vendor.monitor(NUMBER).await;
    vendor.monitor(UNKNOWN).await;
    clock.advance(Duration::from_secs(3));
    let (status, refusal) = vendor.post(LIST, &json!({"numero": NUMBER})).await;
    assert_eq!((status, &refusal["message"]), (422, &json!("Você já monitora este processo")));
    vendor.monitor(UNKNOWN).await;
    assert_eq!(vendor.control().monitors().len(), 3);
    for (body, pointer, value) in [
        (json!({"numero": "12"}), "/code", json!("NUMERO_CNJ_INVALIDO")),
        (json!({}), "/errors/numero/0", json!("O campo numero é obrigatório.")),
        (
            json!({"numero": UNKNOWN, "frequencia": "MENSAL"}),
            "/errors/frequencia/0",
            json!("O campo frequencia selecionado é inválido."),
        ),
    ] {
        let (status, refusal) = vendor.post(LIST, &body).await;
        assert_eq!((status, refusal.pointer(pointer)), (422, Some(&value)), "{body}");
    }
}

#[actix_web::test]
async fn the_list_has_pages_and_what_was_removed_is_gone() {
    let (vendor, _clock) = Vendor::patient().await;
    for number in demo_numbers(23, 1) {
        vendor.monitor(&number).await;
    }
    let (_, first) = vendor.read(LIST).await;
    assert_eq!((&first["paginator"]["total"], first["items"].as_array().unwrap().len()), (&json!(23), 20));
    let next = first["links"]["next"].as_str().unwrap().to_owned();
    assert_eq!(next, vendor.at(&format!("{LIST}?page=2")));
    let second: Value = vendor.try_get(&next).await.unwrap().json().await.unwrap();
    assert_eq!((ids(&second), &second["links"]["next"]), (vec![3, 2, 1], &Value::Null));
    let remove = |id: u64| vendor.client.delete(vendor.at(&format!("{LIST}/{id}"))).bearer_auth("key").send();
    let gone = remove(2).await.unwrap();
    assert_eq!((gone.status(), gone.bytes().await.unwrap().len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(remove(2).await.unwrap().status(), 404);
    assert_eq!(vendor.read(&format!("{LIST}/2")).await.0, 404);
    assert_eq!(vendor.control().monitors().len(), 22);
    let bare = vendor.client.get(vendor.at(LIST)).send().await.unwrap();
    assert_eq!(bare.status(), 401);
}
