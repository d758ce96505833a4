use chrono::{NaiveDate, TimeZone};
use proptest::prelude::*;

use super::super::wire::Answer;
use super::*;
use crate::domain::classify::MovementType;
use crate::domain::degree::Degree;

const DIGITS: &str = "10535655720248260053";

fn cnj() -> Cnj {
    Cnj::parse(DIGITS).unwrap()
}

fn arrived() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 8, 21, 12, 0, 0).unwrap()
}

fn received(hits: Vec<Value>) -> Received {
    let answer = Answer::decode(json!({"hits": {"total": hits.len(), "hits": hits}})).unwrap();
    Received { sigla: "TJSP", hits: answer.hits, at: arrived() }
}

fn convert(hits: Vec<Value>) -> Snapshot {
    snapshot(cnj(), received(hits)).unwrap()
}

fn hit(id: &str, grau: &str, movimentos: Value) -> Value {
    json!({"_id": id, "_source": {"numeroProcesso": DIGITS, "grau": grau, "nivelSigilo": 0, "movimentos": movimentos,
        "classe": {"codigo": 7, "nome": "Procedimento Comum Cível"}, "assuntos": [[{"codigo": 1}]]}})
}

fn movement(code: i64, name: &str, at: &str) -> Value {
    json!({"codigo": code, "nome": name, "dataHora": at})
}

fn texts(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.movements.iter().map(|movement| movement.text.as_str()).collect()
}

#[test]
fn the_measured_answer_becomes_a_process() {
    let answer = Answer::decode(super::super::wire::tests::measured()).unwrap();
    let snapshot = snapshot(cnj(), Received { sigla: "TJSP", hits: answer.hits, at: arrived() }).unwrap();
    assert_eq!((snapshot.provider, snapshot.version), (Provider::Datajud, Version::new(None, arrived())));
    assert_eq!(
        texts(&snapshot),
        ["Emenda à Inicial", "Conclusão: para despacho", "Expedição de documento: Certidão", "Distribuição: sorteio"]
    );
    let first = snapshot.movements.last().unwrap();
    assert_eq!((first.date, first.kind.as_deref()), (NaiveDate::from_ymd_opt(2024, 7, 29), Some("ANDAMENTO")));
    let source = &first.source;
    assert_eq!((source.tribunal.as_deref(), source.grau.as_deref()), (Some("TJSP"), Some("Primeiro Grau")));
    let cover = &snapshot.cover;
    assert_eq!((cover.tribunal.as_str(), cover.grau.as_deref(), cover.sealed), ("TJSP", Some("Primeiro Grau"), false));
    assert_eq!((cover.declared_total, cover.last_movement), (None, NaiveDate::from_ymd_opt(2024, 7, 30)));
    let raw: Value = serde_json::from_str(&cover.raw).unwrap();
    assert_eq!(raw["hits"][0]["classe"]["nome"], "Mandado de Segurança Cível");
    assert_eq!((&raw["hits"][0]["quantidadeMovimentos"], raw["hits"][0].get("movimentos")), (&json!(4), None));
    assert!(snapshot.movements.iter().all(|movement| movement.id.as_str().starts_with(ID_PREFIX)));
}

#[test]
fn hits_of_one_number_are_one_process_and_others_are_left_out() {
    let shared = movement(26, "Distribuição", "2020-01-01T10:00:00Z");
    let mut other = hit("other", "G1", json!([movement(1, "Alheio", "2026-01-01T00:00:00Z")]));
    other["_source"]["numeroProcesso"] = json!("10535655720248260054");
    let snapshot = convert(vec![
        hit("a", "G1", json!([shared, movement(219, "Procedência", "2021-05-01T09:00:00Z")])),
        hit("b", "G1", json!([shared, movement(848, "Trânsito em julgado", "2023-05-01T09:00:00Z")])),
        hit("c", "G2", json!([shared, movement(239, "Não-Provimento", "2022-05-01T09:00:00Z")])),
        hit("a", "G1", json!([movement(1, "Repetido", "2026-01-01T00:00:00Z")])),
        other,
    ]);
    assert_eq!(
        texts(&snapshot),
        ["Trânsito em julgado", "Não-Provimento", "Procedência", "Distribuição", "Distribuição"],
        "the distribution of each degree once"
    );
    assert_eq!(snapshot.cover.grau.as_deref(), Some("Primeiro Grau"), "of the hit that moved last");
    assert_eq!(serde_json::from_str::<Value>(&snapshot.cover.raw).unwrap()["hits"].as_array().unwrap().len(), 3);
    let mut strange = hit("x", "G1", json!([]));
    strange["_source"]["numeroProcesso"] = json!("1");
    assert!(super::snapshot(cnj(), received(vec![strange])).is_none(), "the nearest hit is not the process");
    assert!(super::snapshot(cnj(), received(Vec::new())).is_none());
}

#[test]
fn two_equal_movements_of_one_hit_stay_two() {
    let twice = json!([
        movement(60, "Expedição de documento", "2024-07-29T13:56:45.000Z"),
        movement(60, "Expedição de documento", "2024-07-29T13:56:45.000Z"),
    ]);
    let found = convert(vec![hit("a", "G1", twice.clone()), hit("b", "G1", twice)]);
    assert_eq!(found.movements.len(), 2);
    assert_ne!(found.movements[0].id, found.movements[1].id);
}

#[test]
fn an_id_outlives_the_form_it_was_sent_in() {
    let complements = json!([{"codigo": 2, "valor": 2, "nome": "sorteio"}, {"codigo": 4, "valor": 1, "nome": "AR"}]);
    let turned = json!([{"codigo": 4, "valor": "1", "nome": "A?"}, {"codigo": "2", "valor": 2, "nome": "SORTEIO"}]);
    let one = json!({"codigo": 26, "nome": "Distribuição", "dataHora": "2024-07-29T12:07:10.000Z",
        "complementosTabelados": complements});
    let same = json!({"codigo": "26", "nome": "DISTRIBUI??O", "dataHora": "20240729120710",
        "complementosTabelados": turned});
    let other = json!({"codigo": 26, "nome": "Distribuição", "dataHora": "2024-07-29T12:07:10.000Z",
        "complementosTabelados": [{"codigo": 2, "valor": 3}]});
    let id = |movement: Value, grau| convert(vec![hit("a", grau, json!([movement]))]).movements[0].id.clone();
    assert_eq!(id(one.clone(), "G1"), id(same, " g1 "));
    assert_ne!(id(one.clone(), "G1"), id(other, "G1"));
    assert_ne!(id(one.clone(), "G1"), id(one, "G2"));
}

#[test]
fn a_text_is_readable_with_little_to_go_by() {
    let text = |movement: Value| convert(vec![hit("a", "G1", json!([movement]))]).movements[0].text.clone();
    let with = |name: &str, complements: Value| text(json!({"nome": name, "complementosTabelados": complements}));
    assert_eq!(text(json!({"codigo": 246, "nome": "Definitivo"})), "Arquivamento definitivo");
    assert_eq!(text(json!({"codigo": 246, "nome": "Arquivado Definitivamente"})), "Arquivado Definitivamente");
    assert_eq!(text(json!({"codigo": 245})), "Arquivamento provisório");
    assert_eq!(text(json!({"codigo": 9999})), "Movimento 9999 da tabela do CNJ");
    assert_eq!(text(json!({})), "Movimento sem descrição");
    assert_eq!(with("Petição", json!([{"nome": "Petição"}])), "Petição");
    assert_eq!(
        with("Audiência", json!([{"nome": "conciliação"}, {"nome": "designada"}])),
        "Audiência: conciliação, designada"
    );
    assert_eq!(with("Remessa", json!([{"valor": 18}, {"valor": "em grau de recurso"}])), "Remessa: em grau de recurso");
}

#[test]
fn texts_are_understood_by_the_classifier() {
    let kind = |code: i64, name: &str, complement: &str| {
        let movement = json!({"codigo": code, "nome": name, "complementosTabelados": [{"nome": complement}]});
        convert(vec![hit("a", "G1", json!([movement]))]).movements[0].verdict()
    };
    assert_eq!(kind(51, "Conclusão", "para despacho").kind, MovementType::Conclusao);
    assert_eq!(kind(219, "Procedência", "").kind, MovementType::Decisao);
    assert_eq!(kind(970, "Audiência", "conciliação").kind, MovementType::Audiencia);
    assert_eq!(kind(85, "Petição", "Contestação").kind, MovementType::Peticao);
    assert!(kind(246, "Definitivo", "").is_decisive() && kind(848, "Trânsito em julgado", "").is_decisive());
    assert!(!kind(245, "Provisório", "").is_decisive());
}

#[test]
fn degrees_are_the_projects_words() {
    for (grau, words, instance) in [
        ("G1", "Primeiro Grau", Some(Degree::First)),
        ("g2", "Segundo Grau", Some(Degree::Appeal)),
        ("JE", "Juizado Especial", Some(Degree::First)),
        ("TR", "Turma Recursal", Some(Degree::Appeal)),
        ("TRU", "Turma Regional de Uniformização", Some(Degree::Appeal)),
        ("SUP", "Tribunal Superior", Some(Degree::Appeal)),
        ("XYZ", "XYZ", None),
    ] {
        assert_eq!(degree(grau), words);
        assert_eq!(Degree::parse(Some(words)), instance, "{words}");
    }
}

#[test]
fn secrecy_in_one_hit_seals_the_process() {
    let mut sealed = hit("b", "G2", json!([]));
    sealed["_source"]["nivelSigilo"] = json!("1");
    assert!(convert(vec![hit("a", "G1", json!([])), sealed]).cover.sealed);
    let bare = convert(vec![json!({"_source": {"numeroProcesso": DIGITS}})]);
    assert_eq!((bare.cover.sealed, bare.cover.grau, bare.movements.len()), (false, None, 0));
}

#[test]
fn a_day_is_the_one_that_is_written() {
    let late = convert(vec![hit("a", "G1", json!([movement(26, "Distribuição", "2024-07-29T23:59:59.000Z")]))]);
    assert_eq!(late.movements[0].date, NaiveDate::from_ymd_opt(2024, 7, 29));
    let undated = convert(vec![hit(
        "a",
        "G1",
        json!([movement(1, "Sem data", "?"), movement(26, "Distribuição", "2024-07-29")]),
    )]);
    assert_eq!(texts(&undated), ["Distribuição", "Sem data"], "undated last");
}

proptest! {
    /// Whatever order the court gives its movements and hits in, and however it repeats them, the process is the same.
    #[test]
    fn order_and_repetition_of_hits_change_nothing(
        codes in prop::collection::vec((1_i64..6, 1_u32..5), 0..12),
        turn in 0_usize..12,
    ) {
        let of = |codes: &[(i64, u32)]| {
            let movements: Vec<Value> =
                codes.iter().map(|(code, day)| movement(*code, "x", &format!("2024-01-0{day}T00:00:00Z"))).collect();
            json!(movements)
        };
        let mut turned = codes.clone();
        if !turned.is_empty() {
            let by = turn % turned.len();
            turned.rotate_left(by);
        }
        let once = convert(vec![hit("a", "G1", of(&codes)), hit("b", "G2", of(&codes))]);
        let again = convert(vec![
            hit("b", "G2", of(&turned)), hit("a", "G1", of(&turned)), hit("c", "G1", of(&turned)), hit("a", "G1", of(&codes)),
        ]);
        prop_assert_eq!(&once.movements, &again.movements);
        prop_assert_eq!(once.movements.len(), 2 * codes.len());
        let days: Vec<_> = once.movements.iter().map(|movement| movement.date).collect();
        prop_assert!(days.windows(2).all(|pair| pair[0] >= pair[1]));
        let mut ordered = once.movements.clone();
        ordered.sort_by(crate::domain::movement::newest_first);
        prop_assert_eq!(ordered, once.movements, "the domain's order leaves it alone");
    }
}
