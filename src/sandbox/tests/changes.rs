//! What a test or a person changes about the vendor shows in its answers.

use super::*;

#[actix_web::test]
async fn processes_change_under_control() {
    let vendor = Vendor::usual().await;
    let control = vendor.control();
    vendor.shape(10);
    let today = NaiveDate::from_ymd_opt(2010, 1, 4).unwrap();
    let id = control.add_movement(NUMBER, today, "Juntada de petição").unwrap();
    let page = vendor.movements("limit=50").await;
    assert_eq!(ids(&page).last(), Some(&id), "an old day comes last although its id is the newest");
    assert!(control.remove_movement(NUMBER, id) && !control.remove_movement(NUMBER, id));
    assert_eq!(ids(&vendor.movements("limit=50").await).len(), 10);
    let at = SystemClock.now();
    control.verify(NUMBER, at);
    assert_eq!(vendor.json(NUMBER).await["data_ultima_verificacao"], wire::instant(at));
    let sealed = ProcessShape { sealed: Some(true), movements: Some(0), ..Default::default() };
    control.set_process(NUMBER, &sealed);
    let cover = vendor.json(NUMBER).await;
    assert_eq!((&cover["fontes"][0]["segredo_justica"], &cover["quantidade_movimentacoes"]), (&json!(true), &json!(0)));
    assert!(ids(&vendor.movements("").await).is_empty());
    for style in [MovementStyle::Bare, MovementStyle::Full] {
        let shape = ProcessShape { style: Some(style), movements: Some(3), ..Default::default() };
        control.set_process(NUMBER, &shape);
        let full = vendor.movements("").await["items"][0].get("texto_categoria").is_some();
        assert_eq!(full, style == MovementStyle::Full);
    }
    control.forget_process(NUMBER);
    assert_eq!(vendor.get(NUMBER).await.status(), 404);
    assert_eq!(control.add_movement("not a number", today, "x"), None);
}

#[actix_web::test]
async fn an_update_is_open_then_busy_then_done_by_the_clock() {
    let clock = Arc::new(ShiftedClock::default());
    let sandbox = Sandbox::start(SandboxSettings::default(), LOCAL, clock.clone()).await.unwrap();
    let vendor = Vendor { sandbox, client: client() };
    let ask =
        |number: &str| vendor.client.post(vendor.url(&format!("{number}/solicitar-atualizacao"))).bearer_auth("k");
    let both = ask(NUMBER).json(&json!({"documentos_publicos": 0, "autos": 0})).send().await.unwrap();
    assert_eq!(both.status(), 422);
    let old = NaiveDate::from_ymd_opt(2011, 3, 1).unwrap();
    let plan = UpdatePlan { outcome: UpdateOutcome::Success, movements: vec![(old, "Certidão".to_owned())] };
    vendor.control().plan_update(NUMBER, plan);
    let before = vendor.json(NUMBER).await;
    let open: Value = ask(NUMBER).json(&json!({"enviar_callback": 1})).send().await.unwrap().json().await.unwrap();
    assert_eq!((&open["status"], &open["enviar_callback"]), (&json!("PENDENTE"), &json!("SIM")));
    let busy = ask(NUMBER).send().await.unwrap();
    assert_eq!(busy.status(), 422);
    assert_eq!(busy.json::<Value>().await.unwrap()["appends"]["ultima_verificacao"]["id"], open["id"]);
    ask("9999001-28.2024.8.26.0100").send().await.unwrap();
    clock.advance(Duration::from_secs(31));
    let done = vendor.json(&format!("{NUMBER}/status-atualizacao")).await;
    assert_eq!(done["ultima_verificacao"]["status"], "SUCESSO");
    assert_eq!(done["ultima_verificacao"]["concluido_em"], done["data_ultima_verificacao"]);
    let after = vendor.json(NUMBER).await;
    assert!(after["data_ultima_verificacao"].as_str() > before["data_ultima_verificacao"].as_str());
    let count = |cover: &Value| cover["quantidade_movimentacoes"].as_i64().unwrap();
    assert_eq!(count(&after), count(&before) + 1);
    let unknown = vendor.json("9999001-28.2024.8.26.0100/status-atualizacao").await;
    assert_eq!(unknown["ultima_verificacao"]["status"], "NAO_ENCONTRADO");
}

#[actix_web::test]
async fn people_have_the_same_switches_over_http() {
    let vendor = Vendor::usual().await;
    let at = |path: &str| format!("{}/__sandbox{path}", vendor.sandbox.base_url());
    let post = |path: &str, body: Value| vendor.client.post(at(path)).json(&body).send();
    let order = json!({"fault": "html-500", "endpoint": "movements", "times": 3});
    assert_eq!(post("/faults", order).await.unwrap().status(), 201);
    assert_eq!(vendor.get(&format!("{NUMBER}/movimentacoes")).await.status(), 500);
    let overview: Value = vendor.client.get(at("")).send().await.unwrap().json().await.unwrap();
    assert_eq!(overview["faults"], json!([{"fault": "html-500", "endpoint": "movements", "times_left": 2}]));
    assert!(!overview.to_string().contains("Bearer"));
    assert_eq!(vendor.client.delete(at("/faults")).send().await.unwrap().status(), 200);
    let unknown = post("/faults", json!({"fault": "flood"})).await.unwrap();
    assert_eq!(unknown.status(), 400);
    assert!(unknown.json::<Value>().await.unwrap()["faults"].as_array().unwrap().contains(&json!("charged-timeout")));
    assert_eq!(post("/faults", json!({"fault": "reset", "endpoint": "x"})).await.unwrap().status(), 400);
    assert_eq!(post("/latency", json!({"latency": "soon"})).await.unwrap().status(), 400);
    assert_eq!(post("/latency", json!({"latency": "1ms"})).await.unwrap().status(), 200);
    let address = json!({"url": "http://127.0.0.1:9/here", "token": "t"});
    assert_eq!(post("/callbacks", address).await.unwrap().status(), 200);
    assert_eq!(post("/callbacks", json!({"url": "here", "token": "t"})).await.unwrap().status(), 400);
    assert_eq!((&overview["monitors"], &overview["callbacks"]), (&json!(0), &json!(0)));
    assert_eq!(post("/outage", json!({"on": true})).await.unwrap().status(), 200);
    assert!(vendor.try_get(&vendor.url(NUMBER)).await.is_err());
    assert_eq!(post("/outage", json!({"on": false})).await.unwrap().status(), 200);
    assert_eq!(post("/credits", json!({"centavos": 0})).await.unwrap().status(), 200);
    assert_eq!(vendor.get(NUMBER).await.status(), 402);
    vendor.control().set_credits(10_000);
    let news =
        post(&format!("/processes/{NUMBER}/movements"), json!({"text": "Conclusos para sentença"})).await.unwrap();
    assert_eq!(news.status(), 201);
    let id = news.json::<Value>().await.unwrap()["id"].as_i64().unwrap();
    assert!(ids(&vendor.movements("limit=500").await).contains(&id));
    let missing = post("/processes/9999001-28.2024.8.26.0100/movements", json!({"text": "x"})).await.unwrap();
    assert_eq!(missing.status(), 404);
}
