use proptest::prelude::*;

use super::Outcome::{Andamento, Derrota, Vitoria};
use super::*;

const FIRST: &str = "Primeiro Grau";
const APPEAL: &str = "Segundo Grau";

/// The outcome for the polo ativo; the polo passivo's must mirror it.
fn for_the_claimant(texts: &[(&str, &str)]) -> Outcome {
    let of = |side| outcome(texts.iter().map(|(text, grau)| (*text, Some(*grau))), side);
    let (ativo, passivo) = (of(Some(Side::Ativo)), of(Some(Side::Passivo)));
    let mirrored = match ativo {
        Andamento => Andamento,
        Vitoria => Derrota,
        Derrota => Vitoria,
    };
    assert_eq!(passivo, mirrored, "{texts:?}");
    assert_eq!(of(None), Andamento, "{texts:?}");
    ativo
}

#[test]
fn results() {
    for (expected, texts) in [
        (Andamento, &[][..]),
        (Andamento, &[("Conclusos para sentença", FIRST), ("Distribuído por sorteio", FIRST)]),
        (Vitoria, &[("Julgado procedente o pedido", FIRST)]),
        (
            Vitoria,
            &[
                ("Certidão expedida", FIRST),
                ("SENTENCA - JULGO PROCEDENTE A ACAO", FIRST),
                ("Juntada de petição", FIRST),
            ],
        ),
        (Vitoria, &[("Intimação da sentença: julgo procedente o pedido", FIRST)]),
        (Derrota, &[("JULGADO IMPROCEDENTE", FIRST)]),
        (Derrota, &[("Julgada improcedente a ação", FIRST)]),
        (Derrota, &[("Improcedência do pedido", FIRST)]),
        (Derrota, &[("Julgo não procedente o pedido", FIRST)]),
        (Vitoria, &[("Concedida a segurança", FIRST)]),
        (Derrota, &[("Denegada a segurança", FIRST)]),
        // In part, both ways, settled, annulled, not judged: never plain.
        (Andamento, &[("Julgo procedente em parte o pedido", FIRST)]),
        (Andamento, &[("Julgado parcialmente procedente", FIRST), ("Julgado procedente", FIRST)]),
        (Andamento, &[("Julgo procedente o pedido e improcedente a reconvenção", FIRST)]),
        (Andamento, &[("Homologada a transação", FIRST)]),
        (Andamento, &[("Sentença anulada", APPEAL), ("Julgado procedente o pedido", FIRST)]),
        (Andamento, &[("Extinto o processo sem resolução do mérito", FIRST), ("Julgado procedente o pedido", FIRST)]),
        (Andamento, &[("Julgados improcedentes os embargos à execução", FIRST)]),
        // The latest result outweighs.
        (Derrota, &[("Julgado improcedente o pedido", FIRST), ("Julgo procedente o pedido", FIRST)]),
        // Requests, interim measures and clarifications are no results.
        (Andamento, &[("Petição: requer seja julgado procedente o pedido", FIRST)]),
        (Andamento, &[("Juntada de petição pedindo que seja julgado procedente", FIRST)]),
        (Andamento, &[("Concedida a antecipação de tutela", FIRST)]),
        (Vitoria, &[("EMBARGOS DE DECLARACAO ACOLHIDOS", FIRST), ("Julgado procedente o pedido", FIRST)]),
        (
            Andamento,
            &[("Embargos de declaração acolhidos com efeitos infringentes", FIRST), ("Julgado procedente", FIRST)],
        ),
        (Vitoria, &[("Extinta a execução pelo pagamento", FIRST), ("Julgado procedente o pedido", FIRST)]),
    ] {
        assert_eq!(for_the_claimant(texts), expected, "{texts:?}");
    }
}

#[test]
fn appeals() {
    for (expected, texts) in [
        // Turned down: what was attacked stands.
        (Vitoria, &[("Negou-se provimento ao recurso", APPEAL), ("Julgado procedente o pedido", FIRST)][..]),
        (
            Derrota,
            &[("DECISAO DE 2ª INSTANCIA - RECURSO NAO PROVIDO - JUNTADA", FIRST), ("JULGADO IMPROCEDENTE", FIRST)],
        ),
        (
            Derrota,
            &[("Recurso desprovido", APPEAL), ("Recurso não conhecido", APPEAL), ("Julgado improcedente", FIRST)],
        ),
        (Vitoria, &[("Negado provimento ao recurso da parte ré", APPEAL), ("Julgado procedente o pedido", FIRST)]),
        // The claimant won and still asked for more in vain.
        (Andamento, &[("Negado provimento ao recurso do autor", APPEAL), ("Julgado procedente o pedido", FIRST)]),
        // Without a known result it counts against whoever asked, if that is known.
        (Derrota, &[("Negou-se provimento", APPEAL)]),
        (Andamento, &[("Negou-se provimento", APPEAL), ("Distribuído por sorteio", FIRST)]),
        (Derrota, &[("Negado provimento à apelação do autor", APPEAL), ("Distribuído por sorteio", FIRST)]),
        (Vitoria, &[("Negado provimento à apelação da ré", APPEAL), ("Distribuído por sorteio", FIRST)]),
        (Andamento, &[("Agravo de instrumento não provido", APPEAL), ("Distribuído por sorteio", FIRST)]),
        // Granted: the earlier result is gone.
        (Andamento, &[("Dado provimento ao recurso", APPEAL), ("Julgado procedente o pedido", FIRST)]),
        (Derrota, &[("Recurso do réu provido", APPEAL), ("Julgado procedente o pedido", FIRST)]),
        (Andamento, &[("Dado parcial provimento ao recurso", APPEAL), ("Julgado procedente o pedido", FIRST)]),
        // Judged with a result that no text tells.
        (Andamento, &[("JULGADO VIRTUALMENTE", APPEAL), ("Julgado procedente o pedido", FIRST)]),
        (
            Vitoria,
            &[("Acórdão publicado", APPEAL), ("Negado provimento ao recurso", APPEAL), ("Julgado procedente", FIRST)],
        ),
    ] {
        assert_eq!(for_the_claimant(texts), expected, "{texts:?}");
    }
}

#[test]
fn a_judgment_whose_end_is_not_read_is_unclear() {
    let long = format!("Sentença. Vistos. {}", "Relatório dos fatos alegados. ".repeat(200));
    assert_eq!(for_the_claimant(&[(long.as_str(), FIRST), ("Julgado procedente o pedido", FIRST)]), Andamento);
}

#[test]
fn words_come_back() {
    for outcome in [Andamento, Vitoria, Derrota] {
        assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome));
        assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
    }
}

proptest! {
    #[test]
    fn any_texts_are_answered_and_nothing_is_won_without_a_side(texts in prop::collection::vec(any::<String>(), 0..6)) {
        let with = |side| outcome(texts.iter().map(|text| (text.as_str(), None)), side);
        let _ = (with(Some(Side::Ativo)), with(Some(Side::Passivo)));
        prop_assert_eq!(with(None), Andamento);
    }
}
