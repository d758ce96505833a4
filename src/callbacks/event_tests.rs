use proptest::prelude::*;
use serde_json::json;

use super::*;

const CNJ: &str = "1002089-72.2023.8.26.0260";

fn cnj() -> Cnj {
    Cnj::parse(CNJ).unwrap()
}

fn monitor(number: &str) -> Value {
    json!({"id": 1_567_024, "numero": number, "criado_em": "2024-10-02T18:01:34+00:00", "data_ultima_verificacao": null,
        "tribunais": [{"id": 102, "nome": "Tribunal de Justiça de São Paulo", "sigla": "TJSP", "categoria": null}],
        "frequencia": "DIARIA", "status": "ENCONTRADO"})
}

fn read_value(value: &Value) -> Arrived {
    read(value.to_string().as_bytes())
}

fn news_of(value: &Value) -> Result<News, Malformed> {
    read_value(value).news
}

#[test]
fn every_documented_event_is_read() {
    let movement = json!({"event": "nova_movimentacao", "monitoramento": monitor(CNJ), "uuid": "65b4",
        "movimentacao": {"id": 23_895_909_833_i64, "data": "2024-10-01", "tipo": "ANDAMENTO", "conteudo": "Liminar",
            "fonte": {"fonte_id": 1, "sigla": "TJSP"}}});
    let arrived = read_value(&movement);
    assert_eq!((arrived.event.as_str(), arrived.number.as_deref()), ("nova_movimentacao", Some(CNJ)));
    match arrived.news.unwrap() {
        News::Movement(number, movement) => assert_eq!((number, movement.id.as_str()), (cnj(), "23895909833")),
        other => panic!("{other:?}"),
    }

    let moment = "2025-07-14T03:59:10Z".parse().unwrap();
    let verified = json!({"event": "processo_verificado", "monitoramento": monitor(CNJ), "uuid": "…",
        "verificado_em": "2025-07-14T03:59:10+00:00"});
    assert_eq!(news_of(&verified), Ok(News::Verified(cnj(), moment)));
    let mut bare = json!({"event": "processo_verificado", "monitoramento": monitor(CNJ), "verificado_em": null});
    assert_eq!(news_of(&bare), Err(Malformed::NoMoment));
    bare["monitoramento"]["data_ultima_verificacao"] = "2025-07-14 03:59:10".into();
    assert_eq!(news_of(&bare), Ok(News::Verified(cnj(), moment)));

    let concluded = json!({"event": "atualizacao_processo_concluida", "uuid": "65b4", "atualizacao": {"id": 22,
        "status": "SUCESSO", "numero_cnj": "10020897220238260260", "concluido_em": "2024-02-07T17:08:46+00:00"}});
    assert_eq!(news_of(&concluded), Ok(News::UpdateConcluded(cnj())));
    assert_eq!(read_value(&concluded).number.as_deref(), Some(CNJ), "masked, whatever came");

    for (event, found) in [("processo_encontrado", true), ("processo_nao_encontrado", false)] {
        let told = json!({"event": event, "monitoramento": monitor(CNJ)});
        assert_eq!(news_of(&told), Ok(News::Monitor { cnj: cnj(), id: Some(1_567_024), found }));
    }
}

#[test]
fn what_means_nothing_here_is_no_mistake() {
    let processo = json!({"numero_cnj": "0008649-70.2021.8.12.0110", "data_inicio": "2021-10-06"});
    for (value, event) in [
        (
            json!({"event": "novo_processo", "monitoramento": {"id": 11, "termo": "PARTE"}, "processo": processo}),
            "novo_processo",
        ),
        (json!({"event": "novo_documento", "monitoramento": monitor(CNJ)}), "novo_documento"),
        (json!({"event_type": "movimentacao_nova", "event_data": {"id": 1}, "app": {"id": "1"}}), "movimentacao_nova"),
        (json!({"event": null, "event_type": "update_time"}), "update_time"),
        (json!({"event": " x\u{0}y "}), "xy"),
    ] {
        let arrived = read_value(&value);
        assert_eq!((arrived.event.as_str(), arrived.name()), (event, Some(EventName::Other)), "{value}");
        assert_eq!(arrived.news, Ok(News::UnknownEvent), "{value}");
    }
    let long = read_value(&json!({"event": "é".repeat(500)}));
    assert_eq!(long.event.chars().count(), 100);
}

/// The vendor's own documentation has such numbers.
#[test]
fn a_number_with_wrong_check_digits_is_foreign_and_not_malformed() {
    let wrong = "1024000-20.2015.2.23.0000";
    let movement = json!({"event": "nova_movimentacao", "monitoramento": monitor(wrong), "movimentacao": {"id": 1}});
    let arrived = read_value(&movement);
    assert_eq!((arrived.number.as_deref(), arrived.news), (Some(wrong), Ok(News::ForeignNumber)));
    let without = json!({"event": "nova_movimentacao", "monitoramento": monitor(wrong)});
    assert_eq!(news_of(&without), Err(Malformed::NoMovement));
}

#[test]
fn without_what_its_effect_needs_a_callback_is_malformed() {
    for (bytes, reason) in [
        ("", Malformed::NotJson),
        ("{", Malformed::NotJson),
        ("event=nova_movimentacao", Malformed::NotJson),
        ("\u{feff}{}", Malformed::NotJson),
        ("[]", Malformed::NoObject),
        ("\"nova_movimentacao\"", Malformed::NoObject),
        ("{}", Malformed::NoEvent),
        (r#"{"event": 7}"#, Malformed::NoEvent),
        (r#"{"event": "  "}"#, Malformed::NoEvent),
        (r#"{"event": "processo_encontrado"}"#, Malformed::NoNumber),
        (r#"{"event": "processo_encontrado", "monitoramento": []}"#, Malformed::NoNumber),
        (
            r#"{"event": "processo_encontrado", "monitoramento": {"numero": "x 10020897220238260260"}}"#,
            Malformed::NoNumber,
        ),
        (r#"{"event": "atualizacao_processo_concluida", "atualizacao": {"numero_cnj": "1"}}"#, Malformed::NoNumber),
    ] {
        assert_eq!(read(bytes.as_bytes()).news, Err(reason), "{bytes}");
    }
    assert_eq!(read(&[0xff, 0xfe]).news, Err(Malformed::NotJson));
    assert_eq!(read("[".repeat(1 << 20).as_bytes()).news, Err(Malformed::NotJson), "no stack is exhausted");
    let movement =
        json!({"event": "nova_movimentacao", "monitoramento": monitor(CNJ), "movimentacao": {"conteudo": "x"}});
    assert_eq!(news_of(&movement), Err(Malformed::NoMovement));
}

proptest! {
    #[test]
    fn nothing_that_arrives_breaks_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let arrived = read(&bytes);
        prop_assert!(arrived.event.chars().count() <= LONGEST_NAME);
    }

    #[test]
    fn one_content_has_one_hash_whatever_its_uuid(one in ".{0,8}", other in ".{0,8}") {
        let of = |uuid: &str| read_value(&json!({"uuid": uuid, "event": "processo_encontrado", "monitoramento": monitor(CNJ)}));
        prop_assert_eq!(of(&one), of(&other));
    }
}
