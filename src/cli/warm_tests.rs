use super::*;

const ONE: &str = "0000001-39.2024.8.26.0100";

fn answer(state: ListState, failed: u64) -> Answer {
    let requested_at = chrono::DateTime::UNIX_EPOCH;
    let failure = FailedItem { cnj: ONE.into(), position: 1, outcome: "server-error".into(), attempts: 5 };
    Answer {
        list: WarmList {
            id: "0123456789abcdef".into(),
            state,
            requested_at,
            ended_at: None,
            total: 1_000,
            duplicates: 0,
            waiting: 4,
            done: 900,
            known: 90,
            unknown: 6 - failed,
            failed,
            cost_centavos: 123_456,
            paused_until: None,
            paused_reason: None,
        },
        failures: vec![failure; usize::try_from(failed).unwrap()],
    }
}

#[test]
fn numbers_come_masked_or_bare_with_blank_lines_and_comments() {
    let bare: String = ONE.chars().filter(char::is_ascii_digit).collect();
    let text = format!("\u{feff}# processos\n\n  {ONE}  # o primeiro\r\n{bare}\n\t\n");
    let expected = Numbers { cnjs: vec![Cnj::parse(ONE).unwrap()], duplicates: 1 };
    assert_eq!(numbers(&text), Ok(expected));
}

#[test]
fn every_wrong_line_is_told_by_its_number() {
    let told = numbers(&format!("x\n{ONE}\n\n# nada\n0000001-38.2024.8.26.0100\n")).unwrap_err();
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("linha 1: ") && lines[1].starts_with("linha 5: "), "{told}");
    assert!(lines[1].contains("39") && lines[2].contains("2 linhas") && lines.len() == 3, "{told}");
    assert!(numbers("# nada\n\n").unwrap_err().contains("nenhum número"));
}

#[test]
fn the_tally_adds_the_lists_up() {
    let tally = Tally::of(vec![answer(ListState::Done, 0), answer(ListState::Done, 2)], 7);
    let json = serde_json::to_value(&tally).unwrap();
    let expected = json!({
        "state": "done", "total": 2_000, "duplicates": 7, "known": 180, "loaded": 1_800, "unknown": 10, "failed": 2,
        "cost_centavos": 246_912, "cost_reais": "2469.12", "not_looked_up": 8,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&json[name], value, "{name}");
    }
    assert_eq!(json["failures"].as_array().unwrap().len(), 2);
    let shown = page(&tally);
    for part in ["carregados", "1.800", "Custo: R$ 2.469,12", ONE, "server-error", "2.000"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let cancelled = Tally::of(vec![answer(ListState::Done, 0), answer(ListState::Cancelled, 0)], 0);
    assert_eq!(cancelled.state, ListState::Cancelled);
}

/// What the service shows is what is read here.
#[test]
fn an_answer_of_the_service_is_understood() {
    let body = json!({
        "id": "0123456789abcdef", "state": "running", "detail": "…", "requested_at": "2026-01-01T00:00:00.000Z",
        "ended_at": null, "total": 3, "duplicates": 0, "waiting": 1, "done": 1, "known": 1, "unknown": 0, "failed": 0,
        "cost_centavos": 600, "paused_until": "2026-01-01T00:00:05.000Z", "paused_reason": "credits-exhausted",
    });
    let answer: Answer = serde_json::from_value(body).unwrap();
    assert_eq!(note(&[answer]), "R$ 6,00, em pausa: credits-exhausted");
}
