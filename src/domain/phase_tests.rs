use proptest::prelude::*;

use super::super::classify::classify;
use super::*;

fn day(day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(2024, 1, day)
}

/// Movements as (day, text, grau), newest first.
fn report(movements: &[(u32, &str, &str)]) -> PhaseReport {
    let verdicts: Vec<_> = movements.iter().map(|(_, text, grau)| classify(text, None, None, Some(grau))).collect();
    let steps: Vec<_> = movements
        .iter()
        .zip(&verdicts)
        .map(|((date, _, grau), verdict)| Step { date: day(*date), verdict, grau: Some(grau) })
        .collect();
    phases(&steps)
}

fn current(movements: &[(u32, &str, &str)]) -> Phase {
    report(movements).current
}

#[test]
fn without_movements_a_case_is_initial() {
    let report = phases(&[]);
    assert_eq!((report.current, report.progress), (Phase::Inicial, 10));
    assert_eq!(report.phases.iter().filter(|line| line.is_completed).count(), 0);
}

#[test]
fn the_latest_decisive_movement_wins() {
    for (expected, movements) in [
        (Phase::Inicial, &[(1, "Distribuído por sorteio", "1")][..]),
        (Phase::Instrutoria, &[(2, "PROFERIDO DESPACHO", "1"), (1, "Audiência inicial designada", "1")]),
        (Phase::Decisoria, &[(3, "Conclusos para sentença", "1"), (1, "Audiência inicial designada", "1")]),
        (Phase::Instrutoria, &[(4, "Convertido o julgamento em diligência", "1"), (3, "Conclusos para sentença", "1")]),
        (Phase::Recursal, &[(4, "Interposto recurso de apelação", "1"), (3, "Julgado procedente o pedido", "1")]),
        (Phase::Decisoria, &[(5, "Julgado procedente o pedido", "1"), (4, "JULGADO VIRTUALMENTE", "2")]),
        (
            Phase::Final,
            &[(9, "TRANSITO EM JULGADO AS PARTES - PROC. EM ANDAMENTO", "1"), (4, "JULGADO VIRTUALMENTE", "2")],
        ),
        (
            Phase::Arquivado,
            &[(9, "Certidão expedida", "1"), (8, "ARQUIVADO DEFINITIVAMENTE", "1"), (3, "Sentença", "1")],
        ),
        (Phase::Arquivado, &[(9, "Certificado o trânsito em julgado", "1"), (8, "Arquivado definitivamente", "1")]),
        (Phase::Final, &[(9, "Conclusos para sentença", "1"), (8, "Trânsito em julgado", "1")]),
        (Phase::Decisoria, &[(9, "Arquivado provisoriamente", "1"), (8, "Sentença", "1")]),
    ] {
        assert_eq!(current(movements), expected, "{movements:?}");
    }
}

#[test]
fn reopening_brings_back_the_phase_before_the_archive() {
    let archived = [(5, "Arquivado definitivamente", "1"), (4, "Trânsito em julgado", "1"), (3, "Sentença", "1")];
    assert_eq!(current(&archived), Phase::Arquivado);
    let reopened = [&[(6, "Processo desarquivado", "1")], &archived[..]].concat();
    assert_eq!(current(&reopened), Phase::Final);
    assert_eq!(report(&reopened).phases[5].completed_at, None);
    let wished = [&[(6, "Pedido de desarquivamento", "1")], &archived[..]].concat();
    assert_eq!(current(&wished), Phase::Arquivado);
    let again = [&[(7, "Arquivado definitivamente", "1")], &reopened[..]].concat();
    assert_eq!(current(&again), Phase::Arquivado);
    assert_eq!(report(&again).phases[5].completed_at, day(7));
}

#[test]
fn leaving_the_appeal_instance_is_not_the_end_of_a_case_that_has_a_first_one() {
    let sent_back = [
        (5, "BAIXA DEFINITIVA", "Segundo Grau"),
        (4, "JULGADO VIRTUALMENTE", "Segundo Grau"),
        (1, "Sentença", "Primeiro Grau"),
    ];
    assert_eq!(current(&sent_back), Phase::Recursal);
    assert_eq!(current(&sent_back[..2]), Phase::Arquivado);
    assert_eq!(current(&[(5, "BAIXA DEFINITIVA", "Primeiro Grau")]), Phase::Arquivado);

    let interim_appeal = [
        (5, "Trânsito em julgado", "2"),
        (4, "Agravo de instrumento não provido", "2"),
        (1, "PROFERIDO DESPACHO", "1"),
    ];
    assert_eq!(current(&interim_appeal), Phase::Recursal);
    let after_sentence = [(5, "Trânsito em julgado", "2"), (4, "Recurso não provido", "2"), (1, "Sentença", "1")];
    assert_eq!(current(&after_sentence), Phase::Final);
}

#[test]
fn on_the_day_of_the_end_the_order_of_movements_does_not_matter() {
    let day_of_the_end = [
        (4, "DECISAO DE 2ª INSTANCIA - RECURSO NAO PROVIDO - JUNTADA", "1"),
        (4, "TRANSITO EM JULGADO AS PARTES", "1"),
    ];
    assert_eq!(current(&day_of_the_end), Phase::Final);
    let later = [(5, "Julgado procedente o pedido", "1"), (4, "TRANSITO EM JULGADO AS PARTES", "1")];
    assert_eq!(current(&later), Phase::Decisoria);
}

#[test]
fn the_vendors_documented_page_is_an_archived_case() {
    // In its order; the instances are the documented case's two sources.
    let page = [
        (25, "CERTIDAO DE CARTORIO EXPEDIDA", "1"),
        (25, "CERTIDAO DE CARTORIO EXPEDIDA", "1"),
        (25, "ARQUIVADO DEFINITIVAMENTE", "1"),
        (23, "SUSPENSAO DO PRAZO", "1"),
        (22, "CERTIDAO DE PUBLICACAO EXPEDIDA", "1"),
        (21, "REMETIDO AO DJE", "1"),
        (20, "PROFERIDO DESPACHO", "1"),
        (18, "DECISAO DE 2ª INSTANCIA - RECURSO NAO PROVIDO - JUNTADA", "1"),
        (18, "EMBARGOS DE DECLARACAO ACOLHIDOS", "1"),
        (18, "TRANSITO EM JULGADO AS PARTES - PROC. EM ANDAMENTO", "1"),
        (18, "CONCLUSOS PARA DESPACHO", "1"),
        (16, "RECEBIDOS OS AUTOS DO TRIBUNAL DE JUSTICA", "1"),
        (16, "EXPEDIDO CERTIDAO", "2"),
        (16, "BAIXA DEFINITIVA", "2"),
        (16, "EXPEDIDO CERTIDAO DE BAIXA DE RECURSO", "2"),
        (14, "JULGADO VIRTUALMENTE", "2"),
        (10, "CONCLUSOS PARA O RELATOR (EXPEDIDO TERMO COM CONCLUSAO)", "2"),
    ];
    assert_eq!(current(&page), Phase::Arquivado);
    assert_eq!(current(&page[3..]), Phase::Final);
    assert_eq!(current(&page[11..]), Phase::Recursal);
}

#[test]
fn lines_tell_what_is_past_and_since_when() {
    let report =
        report(&[(9, "Arquivado definitivamente", "1"), (6, "Sentença", "1"), (2, "Audiência designada", "1")]);
    let lines: Vec<_> = report
        .phases
        .iter()
        .map(|line| (line.phase.as_str(), line.is_completed, line.is_current, line.completed_at))
        .collect();
    assert_eq!(
        lines,
        [
            ("inicial", true, false, day(2)),
            ("instrutoria", true, false, day(6)),
            ("decisoria", true, false, day(9)),
            ("recursal", false, false, None),
            ("final", true, false, day(9)),
            ("arquivado", true, true, day(9)),
        ]
    );
}

#[test]
fn slugs_come_back() {
    for phase in Phase::ALL {
        assert_eq!(Phase::parse(phase.as_str()), Some(phase));
        assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str());
    }
    assert_eq!(Phase::parse("encerrado"), None);
}

const TEXTS: [&str; 12] = [
    "Distribuído por sorteio",
    "Audiência designada",
    "Conclusos para sentença",
    "Sentença",
    "Apelação",
    "JULGADO VIRTUALMENTE",
    "Trânsito em julgado",
    "BAIXA DEFINITIVA",
    "ARQUIVADO DEFINITIVAMENTE",
    "Desarquivado",
    "EMBARGOS DE DECLARACAO ACOLHIDOS",
    "PROFERIDO DESPACHO",
];

proptest! {
    #[test]
    fn a_report_agrees_with_itself(movements in prop::collection::vec((1_u32..29, 0..TEXTS.len(), prop::sample::select(vec!["1", "2", ""])), 0..30)) {
        let mut movements: Vec<_> = movements.into_iter().map(|(day, text, grau)| (day, TEXTS[text], grau)).collect();
        movements.sort_by_key(|movement| std::cmp::Reverse(movement.0));
        let report = report(&movements);
        prop_assert_eq!(report.progress, report.current.progress());
        prop_assert_eq!(report.phases.iter().map(|line| line.phase).collect::<Vec<_>>(), Phase::ALL);
        for line in &report.phases {
            prop_assert_eq!(line.is_current, line.phase == report.current);
            prop_assert!(!line.is_completed || line.phase <= report.current);
            prop_assert!(line.completed_at.is_none() || line.is_completed);
        }
    }
}
