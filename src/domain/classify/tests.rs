use proptest::prelude::*;

use super::MovementType::{Audiencia, Citacao, Conclusao, Decisao, Juntada, Outros, Peticao};
use super::*;
use Phase::{Arquivado, Decisoria, Final, Inicial, Instrutoria, Recursal};

fn of(text: &str) -> Verdict {
    classify(text, None, None, None)
}

#[test]
fn regression_list() {
    for (text, kind, hint) in [
        ("CONCLUSOS PARA DESPACHO", Conclusao, None),
        ("Conclusos para sentença", Conclusao, Some(Decisoria)),
        ("CONCLUSOS PARA O RELATOR (EXPEDIDO TERMO COM CONCLUSAO)", Conclusao, Some(Recursal)),
        ("Audiência inicial designada", Audiencia, Some(Instrutoria)),
        ("Intimação da sentença", Citacao, None),
        ("Intimação para contrarrazões ao recurso", Citacao, Some(Recursal)),
        ("DECISAO DE 2ª INSTANCIA - RECURSO NAO PROVIDO - JUNTADA", Decisao, Some(Recursal)),
        ("DECISAO DE 2ª INSTANCIA - RECURSO NAO PROVIDO", Decisao, Some(Recursal)),
        ("Juntada de petição", Juntada, None),
        ("Juntada de petição intercorrente", Juntada, None),
        ("Expedição de documento", Outros, None),
        ("EXPEDIDO CERTIDAO DE BAIXA DE RECURSO", Outros, None),
        ("Julgado procedente o pedido", Decisao, Some(Decisoria)),
        ("JULGADO VIRTUALMENTE", Decisao, Some(Recursal)),
        ("EMBARGOS DE DECLARACAO ACOLHIDOS", Decisao, Some(Decisoria)),
        ("PROFERIDO DESPACHO", Decisao, None),
        ("TRANSITO EM JULGADO AS PARTES - PROC. EM ANDAMENTO", Outros, Some(Final)),
        ("BAIXA DEFINITIVA", Outros, Some(Arquivado)),
        ("ARQUIVADO DEFINITIVAMENTE", Outros, Some(Arquivado)),
        ("RECEBIDOS OS AUTOS DO TRIBUNAL DE JUSTICA", Outros, None),
        ("SUSPENSAO DO PRAZO", Outros, None),
        ("REMETIDO AO DJE", Outros, None),
        ("CERTIDAO DE PUBLICACAO EXPEDIDA", Outros, None),
        ("CERTIDAO DE CARTORIO EXPEDIDA", Outros, None),
        ("EXPEDIDO CERTIDAO", Outros, None),
        ("Pedido de Liminar/Antecipação de Tutela", Peticao, None),
    ] {
        for text in [text.to_owned(), text.to_lowercase(), text.to_uppercase(), fold(text)] {
            let verdict = of(&text);
            assert_eq!((verdict.kind, verdict.hint), (kind, hint), "{text}: {verdict:?}");
        }
    }
}

#[test]
fn further_texts_of_courts() {
    for (text, kind, hint) in [
        ("Distribuído por sorteio", Outros, Some(Inicial)),
        ("Protocolizada Petição", Peticao, None),
        ("Petição inicial", Peticao, None),
        ("Contestação", Peticao, Some(Instrutoria)),
        ("Interposto recurso de apelação", Peticao, Some(Recursal)),
        ("Apelação contra a sentença de fls. 10", Peticao, Some(Recursal)),
        ("Agravo de instrumento interposto", Peticao, None),
        ("Pedido de liminar indeferido", Decisao, None),
        ("Embargos de declaração opostos contra a sentença", Peticao, None),
        ("Expedição de mandado de citação", Citacao, None),
        ("Juntada de mandado de citação cumprido", Citacao, None),
        ("Juntada de contestação", Juntada, Some(Instrutoria)),
        ("Audiência de conciliação cancelada", Audiencia, None),
        ("Sentença", Decisao, Some(Decisoria)),
        ("Acórdão publicado", Decisao, Some(Recursal)),
        ("Conhecido o recurso e não provido", Decisao, Some(Recursal)),
        ("Negado seguimento ao recurso", Decisao, Some(Recursal)),
        ("Homologada a transação", Decisao, Some(Decisoria)),
        ("Homologado o laudo", Decisao, None),
        ("Decisão interlocutória sobre a sentença", Decisao, None),
        ("Extinta a execução pelo pagamento", Decisao, Some(Final)),
        ("Convertido o julgamento em diligência", Decisao, Some(Instrutoria)),
        ("Determinado o arquivamento", Decisao, None),
        ("Certidão de publicação do despacho", Decisao, None),
        ("Transitado em julgado em 01/02/2024", Outros, Some(Final)),
        ("Certificado o trânsito em julgado", Outros, Some(Final)),
        ("Aguardando trânsito em julgado", Outros, None),
        ("Processo arquivado", Outros, Some(Arquivado)),
        ("Arquivado provisoriamente", Outros, None),
        ("Autos desarquivados", Outros, None),
        ("Remetidos os autos em grau de recurso", Outros, Some(Recursal)),
        ("Evoluída a classe de Procedimento Comum para Cumprimento de sentença", Outros, Some(Final)),
        ("<p>Juntada de petição</p>", Juntada, None),
        ("Ato ordinatório praticado", Outros, None),
        ("Órgão julgador alterado", Outros, None),
        ("Autos procedentes da comarca de origem", Outros, None),
        ("Mandado devolvido com providências", Outros, None),
        ("", Outros, None),
        ("  \n ", Outros, None),
    ] {
        let verdict = of(text);
        assert_eq!((verdict.kind, verdict.hint), (kind, hint), "{text}: {verdict:?}");
    }
}

#[test]
fn the_instance_changes_what_an_act_means() {
    let on_appeal = |text| classify(text, None, None, Some("Segundo Grau"));
    for text in ["BAIXA DEFINITIVA", "ARQUIVADO DEFINITIVAMENTE"] {
        let verdict = on_appeal(text);
        assert_eq!((verdict.kind, verdict.hint, verdict.weight), (Outros, None, Weight::Instance), "{text}");
    }
    assert_eq!(on_appeal("TRANSITO EM JULGADO").weight, Weight::Instance);
    assert_eq!(on_appeal("CONCLUSOS PARA DESPACHO").hint, Some(Recursal));
    assert_eq!(on_appeal("Sentença confirmada").hint, Some(Recursal));
    assert_eq!(classify("BAIXA DEFINITIVA", None, None, Some("Primeiro Grau")).hint, Some(Arquivado));
}

#[test]
fn the_vendors_class_comes_first() {
    for (path, class, text, kind, hint) in [
        (
            "Movimentações do Magistrado > Decisão > Concessão > Antecipação de tutela",
            "Antecipação de tutela",
            "Pedido de Liminar/Antecipação de Tutela",
            Decisao,
            None,
        ),
        (
            "Magistrado > Julgamento > Com Resolução do Mérito > Procedência",
            "Procedência",
            "x",
            Decisao,
            Some(Decisoria),
        ),
        ("Movimentações do Magistrado > Outra", "Outra", "x", Decisao, None),
        ("Serventuário > Escrivão > Juntada > Petição", "Petição", "x", Juntada, None),
        ("Serventuário > Escrivão > Expedição de documento > Intimação", "Intimação", "x", Citacao, None),
        ("Serventuário > Escrivão > Trânsito em Julgado", "Trânsito em julgado", "x", Outros, Some(Final)),
        ("Serventuário > Arquivista > Arquivamento > Definitivo", "Definitivo", "x", Outros, Some(Arquivado)),
        ("", "Conclusão", "PROFERIDO DESPACHO", Conclusao, None),
        // The type is the vendor's, the hint the court's own words.
        ("Serventuário > Escrivão > Juntada", "Juntada", "ARQUIVADO DEFINITIVAMENTE", Juntada, Some(Arquivado)),
        // A class that says nothing leaves it to the text.
        ("Serventuário > Contador", "Contador", "Juntada de petição", Juntada, None),
    ] {
        let verdict = classify(text, Some(path), Some(class), None);
        assert_eq!((verdict.kind, verdict.hint), (kind, hint), "{path}: {verdict:?}");
    }
    let verdict = classify("x", None, Some("Decisão"), None);
    assert_eq!((verdict.rule, verdict.confidence), ("vendor-class", 0.95));
}

#[test]
fn long_publications_are_told_by_their_acts_and_less_surely() {
    let heading = "Número 1000 Classe Procedimento Comum Cível Assunto Indenização Foro Central Vara Dez Partes Fulana Beltrano Advogados Xis Ypsilon ";
    let verdict = of(&format!("{heading} Vistos. Defiro. Intime-se. Após, voltem conclusos."));
    assert_eq!((verdict.kind, verdict.hint, verdict.confidence), (Decisao, None, 0.6));
    let late = format!("{}Sentença", "palavra ".repeat(1_000));
    assert_eq!(of(&late).kind, Outros, "what is not read does not count");
}

#[test]
fn names_come_back() {
    for kind in MovementType::ALL {
        assert_eq!(MovementType::parse(kind.as_str()), Some(kind));
        assert_eq!(MovementType::parse(kind.label_pt()), Some(kind));
        assert_eq!(MovementType::parse(&kind.label_pt().to_uppercase()), Some(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    assert_eq!(MovementType::parse("decisoes"), None);
    assert_eq!(MovementType::parse(&"x".repeat(10_000)), None);
}

proptest! {
    #[test]
    fn any_text_is_classified(text in any::<String>(), path in any::<Option<String>>(), grau in any::<Option<String>>()) {
        let verdict = classify(&text, path.as_deref(), None, grau.as_deref());
        prop_assert!((0.3..=0.95).contains(&verdict.confidence));
        prop_assert!(!verdict.rule.is_empty());
    }

    #[test]
    fn spelling_does_not_matter(words in prop::collection::vec(prop::sample::select(vec![
        "decisão", "sentença", "juntada", "petição", "conclusos", "audiência", "trânsito", "em", "julgado", "2ª", "instância", "não",
        "provido", "recurso", "arquivado", "baixa", "definitiva", "de", "intimação", "<b>", "expedição",
    ]), 0..8)) {
        let text = words.join(" ");
        prop_assert_eq!(of(&text), of(&text.to_uppercase()));
        prop_assert_eq!(of(&text), of(&fold(&text)));
    }
}
