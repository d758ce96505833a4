//! The decoders against the documented examples (with invented parties), their variations, and anything at all.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fetcher::lenient::any_json;

#[test]
fn the_documented_cover_is_read() {
    let documented = r#"{
        "numero_cnj": "1024000-20.2015.2.23.0000", "titulo_polo_ativo": "PARTE AUTORA", "titulo_polo_passivo": "PARTE RÉ",
        "ano_inicio": 2015, "data_inicio": "2015-11-21", "estado_origem": {"nome": "São Paulo", "sigla": "SP"},
        "data_ultima_movimentacao": "2018-07-25", "quantidade_movimentacoes": 103,
        "fontes_tribunais_estao_arquivadas": false, "data_ultima_verificacao": "2023-02-09T14:30:11+00:00",
        "tempo_desde_ultima_verificacao": "há 1 mês", "processos_relacionados": [{"numero": "8027909-02.2019.8.05.0000"}],
        "fontes": [
            {"id": 3, "processo_fonte_id": 14626, "descricao": "TJSP - 1º grau", "nome": "Tribunal de Justiça de São Paulo",
             "sigla": "TJSP", "tipo": "TRIBUNAL", "data_inicio": "2015-11-27", "data_ultima_movimentacao": "2018-07-25",
             "segredo_justica": null, "arquivado": null, "status_predito": "INATIVO", "grau": 1,
             "grau_formatado": "Primeiro Grau", "fisico": false, "sistema": "ESAJ",
             "capa": {"classe": "PROCEDIMENTO COMUM CIVEL", "valor_causa": {"valor": "50000.0000", "moeda": "R$"}},
             "tribunal": {"id": 102, "nome": "Tribunal de Justiça de São Paulo", "sigla": "TJSP", "categoria": null},
             "quantidade_movimentacoes": 68, "data_ultima_verificacao": "2023-02-09T14:30:11+00:00",
             "envolvidos": [{"nome": "PARTE AUTORA", "oabs": [{"uf": "SP", "numero": 123123}]}]},
            {"id": 6, "descricao": "TJSP - 2º grau", "data_ultima_movimentacao": "2018-04-26", "grau": "2",
             "data_ultima_verificacao": "2023-02-09 14:30:00"}
        ]
    }"#;
    let cover = Processo::decode(serde_json::from_str(documented).unwrap()).unwrap();
    assert_eq!(cover.quantidade_movimentacoes, Some(103));
    assert_eq!(cover.data_ultima_verificacao.unwrap().to_rfc3339(), "2023-02-09T14:30:11+00:00");
    let graus: Vec<_> = cover.fontes.iter().map(|fonte| fonte.grau.as_deref()).collect();
    assert_eq!(graus, [Some("1"), Some("2")]);
    assert_eq!(cover.fontes[1].data_ultima_verificacao.unwrap().to_rfc3339(), "2023-02-09T14:30:00+00:00");
}

#[test]
fn nulls_and_odd_types_everywhere_are_absences() {
    let nulls = json!({
        "numero_cnj": null, "data_ultima_movimentacao": null, "quantidade_movimentacoes": null,
        "data_ultima_verificacao": null,
        "fontes": [null, 7, {"sigla": null, "tipo": null, "grau": null, "tribunal": null, "segredo_justica": null}],
    });
    let cover = Processo::decode(nulls).unwrap();
    assert_eq!((cover.numero_cnj, cover.quantidade_movimentacoes), (None, None));
    assert_eq!(cover.fontes.len(), 1);

    let odd = json!({
        "numero_cnj": 5, "data_ultima_movimentacao": false, "quantidade_movimentacoes": "103", "fontes": {"0": 1},
        "data_ultima_verificacao": ["2023"],
    });
    let cover = Processo::decode(odd).unwrap();
    assert_eq!(cover.quantidade_movimentacoes, Some(103));
    assert!(cover.fontes.is_empty() && cover.data_ultima_verificacao.is_none());
    let fonte: ProcessoFonte =
        serde_json::from_value(json!({"tribunal": [], "segredo_justica": 1, "grau": 1.5})).unwrap();
    assert_eq!((fonte.segredo_justica, fonte.grau.as_deref()), (Some(true), Some("1.5")));
}

#[test]
fn what_is_no_cover_is_not_taken_for_one() {
    for value in [json!({}), json!([]), json!(null), json!("ok"), json!({"data": {"items": "indisponível"}})] {
        assert_eq!(Processo::decode(value.clone()).unwrap_err(), WrongShape, "{value}");
    }
}

#[test]
fn bare_and_full_movements_are_read() {
    let page = Page::decode(json!({
        "items": [
            {"id": 853_879, "data": "2018-07-25", "tipo": "ANDAMENTO", "conteudo": "CERTIDAO DE CARTORIO EXPEDIDA",
             "fonte": {"fonte_id": 3, "nome": "Tribunal de Justiça de São Paulo", "tipo": "TRIBUNAL", "sigla": "TJSP",
                       "grau": 1, "grau_formatado": "Primeiro Grau"}},
            {"id": "23895909833", "data": "2018-07-25 10:11:12", "tipo": "PUBLICAÇÃO", "tipo_publicacao": "Despacho",
             "classificacao_predita": {"nome": "Despacho", "descricao": null, "hierarquia": "Magistrado > Despacho"},
             "conteudo": "<p>Vistos.</p>", "texto_categoria": "Atos",
             "fonte": {"processo_fonte_id": 9, "fonte_id": 11, "tipo": "DIARIO_OFICIAL", "sigla": "DJSP", "grau": "1",
                       "caderno": "Judicial 1"}}
        ],
        "links": {"next": null}, "paginator": {"per_page": 20}
    }))
    .unwrap();
    assert_eq!(page.next, None);
    let [bare, full] = page.items.as_slice() else { panic!("two movements") };
    assert_eq!((bare.id, bare.fonte.fonte_id), (Some(853_879), Some(3)));
    assert_eq!((full.id, full.data.unwrap().to_string().as_str()), (Some(23_895_909_833), "2018-07-25"));
    assert_eq!(full.classificacao_predita.nome.as_deref(), Some("Despacho"));
    assert_eq!(full.fonte.caderno.as_deref(), Some("Judicial 1"));
}

#[test]
fn an_empty_object_is_a_movement_and_anything_else_spoils_the_page() {
    let page = |item: Value| Page::decode(json!({"items": [item], "links": {"next": null}}));
    assert_eq!(page(json!({})).unwrap().items.len(), 1);
    for item in [json!({"id": null, "fonte": null}), json!({"id": [], "data": 1, "fonte": [], "conteudo": {}})] {
        assert_eq!(page(item).unwrap().items[0].id, None);
    }
    for item in [json!(null), json!("texto"), json!([1]), json!(7)] {
        assert_eq!(page(item.clone()).unwrap_err(), WrongShape, "{item}");
    }
}

#[test]
fn a_page_that_may_hide_movements_is_not_read() {
    for page in [
        json!({"items": [], "links": []}),
        json!({"items": [], "links": {"next": 7}}),
        json!({"links": {"next": null}}),
        json!({"items": null, "links": {"next": null}}),
        json!([]),
        json!({"error": "NotFound"}),
    ] {
        assert_eq!(Page::decode(page.clone()).unwrap_err(), WrongShape, "{page}");
    }
    assert!(Page::decode(json!({"items": [], "links": {}})).unwrap().next.is_none());
    assert!(!Page::decode(json!({"items": []})).unwrap().has_links);
}

#[test]
fn errors_are_read_in_every_shape() {
    let decode = |body: &str| ErrorBody::decode(body.as_bytes());
    let text = |body: &str| decode(body).and_then(|error| error.text);
    assert_eq!(text(r#"{"error":"NotFound"}"#).as_deref(), Some("NotFound"));
    assert_eq!(text(r#"{"message":"a","error":"b"}"#).as_deref(), Some("a"));
    let error =
        decode(r#"{"code":"UNPROCESSABLE_ENTITY","message":"m","errors":{"limit":["x"]},"appends":null}"#).unwrap();
    assert_eq!(
        (error.code.as_deref(), error.fields.as_slice()),
        (Some("UNPROCESSABLE_ENTITY"), &["limit".to_owned()][..])
    );
    for errors in ["[]", "null", "7"] {
        assert!(decode(&format!(r#"{{"message":"m","errors":{errors}}}"#)).unwrap().fields.is_empty());
    }
    for body in ["", "<html>", "[]", "{}", "null", r#"{"data":1}"#, r#"{"message":"#] {
        assert_eq!(decode(body), None, "{body:?}");
    }
}

/// The vendor's keys, for JSON that reaches the decoders' insides.
const KEYS: [&str; 22] = [
    "items",
    "links",
    "next",
    "fontes",
    "fonte",
    "numero_cnj",
    "id",
    "fonte_id",
    "data",
    "tipo",
    "grau",
    "errors",
    "error",
    "message",
    "code",
    "classificacao_predita",
    "nome",
    "conteudo",
    "tribunal",
    "segredo_justica",
    "data_ultima_verificacao",
    "quantidade_movimentacoes",
];

proptest! {
    #[test]
    fn no_json_makes_a_decoder_panic(value in any_json(&KEYS, "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]?.{0,15}")) {
        let _ = Processo::decode(value.clone());
        let _ = Page::decode(value.clone());
        let _ = ErrorBody::decode(value.to_string().as_bytes());
        let _ = Page::decode(json!({"items": [value.clone()], "links": {"next": null}}));
        let read_again = Processo::decode(json!({"numero_cnj": value, "fontes": [value]}));
        prop_assert!(read_again.is_ok());
    }

    #[test]
    fn no_bytes_make_the_error_decoder_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = ErrorBody::decode(&body);
    }
}
