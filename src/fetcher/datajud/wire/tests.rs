//! The answers that were seen, and what else may come.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fetcher::lenient::any_json;

/// As a third party's test has it: a real answer of the TJSP.
pub(in super::super) fn measured() -> Value {
    json!({"took":39,"timed_out":false,"_shards":{"total":20,"successful":20,"skipped":0,"failed":0},
     "hits":{"total":{"value":1,"relation":"eq"},"max_score":14.704_267_5,"hits":[
      {"_index":"api_publica_tjsp","_id":"TJSP_G1_10535655720248260053","_score":14.704_267_5,"_source":{
        "numeroProcesso":"10535655720248260053","classe":{"codigo":120,"nome":"Mandado de Segurança Cível"},
        "sistema":{"codigo":-1,"nome":"Inválido"},"formato":{"codigo":1,"nome":"Eletrônico"},"tribunal":"TJSP",
        "dataHoraUltimaAtualizacao":"2024-08-26T20:45:07.608Z","grau":"G1","@timestamp":"2024-09-15T19:45:21.950659341Z",
        "dataAjuizamento":"2024-07-29T11:20:00.000Z",
        "movimentos":[
         {"complementosTabelados":[{"codigo":2,"valor":2,"nome":"sorteio","descricao":"tipo_de_distribuicao_redistribuicao"}],
          "codigo":26,"nome":"Distribuição","dataHora":"2024-07-29T12:07:10.000Z"},
         {"complementosTabelados":[{"codigo":4,"valor":107,"nome":"Certidão","descricao":"tipo_de_documento"}],
          "codigo":60,"nome":"Expedição de documento","dataHora":"2024-07-29T13:56:45.000Z"},
         {"complementosTabelados":[{"codigo":3,"valor":5,"nome":"para despacho","descricao":"tipo_de_conclusao"}],
          "codigo":51,"nome":"Conclusão","dataHora":"2024-07-29T14:03:57.000Z"},
         {"codigo":15085,"nome":"Emenda à Inicial","dataHora":"2024-07-30T11:43:33.000Z"}],
        "id":"TJSP_G1_10535655720248260053","nivelSigilo":0,
        "orgaoJulgador":{"codigo":74365,"nome":"16 FAZENDA PUBLICA DE CENTRAL"},
        "assuntos":[{"codigo":14950,"nome":"Pagamento"}]}}]}})
}

fn one_hit(source: Value) -> Value {
    json!({"hits": {"total": {"value": 1, "relation": "eq"}, "hits": [{"_source": source}]}})
}

fn only(answer: Answer) -> Hit {
    answer.hits.into_iter().next().unwrap()
}

#[test]
fn the_measured_answer_is_read_whole() {
    let answer = Answer::decode(measured()).unwrap();
    assert_eq!((answer.is_partial(), answer.total, answer.hits.len()), (false, Some(1), 1));
    let hit = only(answer);
    assert_eq!(hit.id.as_deref(), Some("TJSP_G1_10535655720248260053"));
    assert_eq!((hit.process.digits().as_str(), hit.process.grau.as_deref()), ("10535655720248260053", Some("G1")));
    assert_eq!((hit.process.nivel_sigilo, hit.process.movimentos.len()), (Some(0), 4));
    let first = &hit.process.movimentos[0];
    assert_eq!((first.code(), first.name()), (Some(26), Some("Distribuição")));
    assert_eq!(first.complements[0].nome.as_deref(), Some("sorteio"));
    assert_eq!(first.at.unwrap().to_the_second(), "2024-07-29T12:07:10");
    assert!(hit.kept.get("movimentos").is_none() && hit.kept["classe"]["codigo"] == 120);
}

#[test]
fn what_varies_between_courts_changes_nothing() {
    let sparse = json!({
        "numeroProcesso": "1053565-57.2024.8.26.0053", "grau": null, "nivelSigilo": "0", "classe": null,
        "assuntos": [[{"codigo": 1}], [{"codigo": 2}, "x"]], "dataAjuizamento": 20_240_729_112_000_i64,
        "dataHoraUltimaAtualizacao": 1_724_705_107_608_i64,
        "movimentos": [
            {"movimentoNacional": {"codigo": "26", "nome": "Distribuição"}, "dataHora": "20240729120710"},
            {"codigo": 51, "nome": " ", "dataHora": "nunca", "complementosTabelados": {"codigo": 3, "valor": "5"},
             "orgaoJulgador": {"codigoOrgao": "9", "nomeOrgao": "VARA DE EXECU??O FISCAL DO DF"}},
            {},
        ],
    });
    let hit = only(Answer::decode(one_hit(sparse)).unwrap());
    assert_eq!(
        (hit.process.digits().len(), hit.process.grau.as_deref(), hit.process.nivel_sigilo),
        (20, None, Some(0))
    );
    assert_eq!(hit.kept["assuntos"], json!([{"codigo": 1}, {"codigo": 2}]));
    assert!(hit.updated.is_some() && hit.id.is_none() && hit.sort.is_none());
    let [national, odd, empty] = hit.process.movimentos.as_slice() else { panic!("three movements") };
    assert_eq!((national.code(), national.name()), (Some(26), Some("Distribuição")));
    assert_eq!((odd.code(), odd.name(), odd.at), (Some(51), None, None));
    assert_eq!(odd.complements, [Complement { codigo: Some(3), valor: Some("5".into()), ..Complement::default() }]);
    assert_eq!((empty.code(), empty.name(), empty.complements.len()), (None, None, 0));
    let without = only(Answer::decode(one_hit(json!({"numeroProcesso": "1", "movimentos": null}))).unwrap());
    assert!(without.process.movimentos.is_empty());
}

#[test]
fn a_partial_answer_shows_it_and_a_total_is_only_what_is_certain() {
    let read = |answer: Value| {
        let answer = Answer::decode(answer).unwrap();
        (answer.is_partial(), answer.total)
    };
    let hits = |total: Value| json!({"total": total, "hits": []});
    assert_eq!(read(json!({"timed_out": true, "hits": hits(json!({"value": 0, "relation": "eq"}))})), (true, Some(0)));
    assert_eq!(read(json!({"_shards": {"failed": 1}, "hits": hits(json!(0))})), (true, Some(0)));
    assert_eq!(read(json!({"_shards": {"failed": "0"}, "hits": hits(json!({"value": 3}))})), (false, Some(3)));
    assert_eq!(read(json!({"hits": hits(json!({"value": 10_000, "relation": "gte"}))})), (false, None));
    assert_eq!(read(json!({"hits": hits(json!(null))})), (false, None));
}

#[test]
fn what_could_hide_a_movement_is_no_answer() {
    for value in [
        json!(null),
        json!([]),
        json!({"error": {"type": "x"}, "status": 500}),
        json!({"hits": []}),
        json!({"hits": {"hits": {}}}),
        json!({"hits": {"hits": [7]}}),
        json!({"hits": {"hits": [{"_id": "x"}]}}),
        one_hit(json!({"numeroProcesso": null})),
        one_hit(json!({"numeroProcesso": "1", "movimentos": "indisponível"})),
        one_hit(json!({"numeroProcesso": "1", "movimentos": [{}, 7]})),
    ] {
        assert_eq!(Answer::decode(value.clone()).unwrap_err(), WrongShape, "{value}");
    }
}

#[test]
fn errors_are_read_in_every_shape() {
    let kind = |body: &str| ErrorBody::decode(body.as_bytes()).map(|error| error.kind);
    let missing = r#"{"error":{"root_cause":[],"type":"security_exception","reason":"missing"},"status":401}"#;
    assert_eq!(kind(missing), Some(Some("security_exception".into())));
    assert_eq!(kind(r#"{"error":"Too Many Requests"}"#), Some(None));
    assert_eq!(kind(r#"{"message":"Forbidden"}"#), Some(None));
    for body in ["", "<html>", "[]", "{}", r#"{"status":404}"#, r#"{"error":7}"#] {
        assert_eq!(kind(body), None, "{body:?}");
    }
}

/// The service's keys, for JSON that reaches the decoders' insides.
const KEYS: [&str; 20] = [
    "hits",
    "total",
    "value",
    "relation",
    "_source",
    "_id",
    "sort",
    "timed_out",
    "_shards",
    "failed",
    "numeroProcesso",
    "movimentos",
    "complementosTabelados",
    "movimentoNacional",
    "codigo",
    "nome",
    "dataHora",
    "assuntos",
    "nivelSigilo",
    "error",
];

proptest! {
    #[test]
    fn no_json_makes_a_decoder_panic(value in any_json(&KEYS, "[0-9]{13,14}")) {
        let _ = Answer::decode(value.clone());
        let _ = Answer::decode(one_hit(value.clone()));
        let _ = Answer::decode(one_hit(json!({"numeroProcesso": "1", "movimentos": value})));
        let movement = json!({"codigo": value, "nome": value, "dataHora": value, "complementosTabelados": value});
        let read = Answer::decode(one_hit(json!({"numeroProcesso": "1", "nivelSigilo": value, "movimentos": [movement]})));
        prop_assert!(read.is_ok());
        let _ = ErrorBody::decode(value.to_string().as_bytes());
    }
}
