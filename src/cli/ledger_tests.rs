use serde_json::json;

use super::super::table::WIDTH;
use super::*;

fn answer(body: serde_json::Value) -> Answer {
    serde_json::from_value(body).unwrap()
}

fn busy() -> serde_json::Value {
    json!({
        "summary": "De 01/08/2026 a 02/08/2026 gastamos R$ 4,20 em 1.234 requisições: capas R$ 3,00 e movimentações \
                    R$ 1,20; sem o cache teria custado R$ 1.238,76 (R$ 1.234,56 a mais).",
        "timezone": "America/Sao_Paulo", "currency": "BRL",
        "from": "2026-08-01", "to": "2026-08-02", "requests": 1234, "spent_centavos": 420, "presumed_centavos": 27,
        "avoided_centavos": 123_456, "without_cache_centavos": 123_876,
        "days": [
            {"day": "2026-08-02", "requests": 34, "spent_centavos": 120, "avoided_centavos": 456},
            {"day": "2026-08-01", "requests": 1200, "spent_centavos": 300, "avoided_centavos": 123_000},
        ],
        "by_endpoint": [
            {"name": "escavador/cover", "requests": 20, "centavos": 300},
            {"name": "escavador/movements", "requests": 20, "centavos": 120},
            {"name": "escavador/status", "requests": 1194, "centavos": 0},
        ],
        "by_lane": [{"name": "interactive", "requests": 1234, "centavos": 420}],
        "by_client": [{"name": "um escritório com um nome muito comprido, do tipo que ninguém abrevia", "requests": 1234, "centavos": 420}],
        "by_outcome": [],
        "by_process": [{"name": "0000001-39.2024.8.26.0100", "requests": 2, "centavos": 21}],
        "avoided": [
            {"tier": "memory", "lookups": 45678, "centavos": 120_000},
            {"tier": "coalesced", "lookups": 12, "centavos": 3456},
            {"tier": "redis", "lookups": 0, "centavos": 0},
        ],
        "budget": {
            "day": {"cap_centavos": 5000, "spent_centavos": 120, "reserved_centavos": 27, "left_centavos": 4853},
            "month": {"cap_centavos": null, "spent_centavos": 123_456_789, "reserved_centavos": 0, "left_centavos": null},
        },
    })
}

fn idle() -> serde_json::Value {
    let line = json!({"cap_centavos": null, "spent_centavos": 0, "reserved_centavos": 0, "left_centavos": null});
    json!({
        "summary": "De 01/08/2026 a 02/08/2026, nada gasto; o cache não evitou nenhuma compra.",
        "from": "2026-08-01", "to": "2026-08-02", "requests": 0, "spent_centavos": 0, "presumed_centavos": 0,
        "avoided_centavos": 0, "without_cache_centavos": 0, "days": [], "by_endpoint": [], "by_lane": [],
        "by_client": [], "by_outcome": [], "by_process": [], "avoided": [], "budget": {"day": line, "month": line},
    })
}

#[test]
fn a_report_fits_a_terminal_and_shows_everything_once() {
    let text = page(&answer(busy()));
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    for part in [
        "gastamos R$ 4,20",
        "\n01/08/2026                                  1.200        R$ 3,00    R$ 1.230,00\n",
        "\nescavador/cover                                20        R$ 3,00\n",
        "\ninteractive                                 1.234        R$ 4,20\n",
        "\num escritório com um nome muito comprido, do tipo…          1.234        R$ 4,20\n",
        "\n0000001-39.2024.8.26.0100                       2        R$ 0,21\n",
        "\nmemory (cópia neste processo)              45.678    R$ 1.200,00\n",
        "\nhoje                     R$ 50,00          R$ 1,20        R$ 0,27       R$ 48,53\n",
        "\neste mês               sem limite  R$ 1.234.567,89        R$ 0,00     sem limite",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("redis"), "what avoided nothing is left out: {text}");
}

#[test]
fn nothing_spent_reads_well() {
    let text = page(&answer(idle()));
    let expected = "De 01/08/2026 a 02/08/2026, nada gasto; o cache não evitou nenhuma compra.\n\n\
                    Por operação: nada gasto\n\nPor fila: nada gasto\n\nPor cliente: nada gasto\n\n\
                    Processos que mais custaram: nada gasto\n\nEvitado por: nada evitado\n\nOrçamento ";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn what_is_asked_is_what_the_service_understands() {
    let args = Args { day: None, from: None, to: None, month: false, json: false, server: None, token: None };
    assert_eq!(query(&args), "");
    assert_eq!(query(&Args { month: true, ..args }), "period=month");
    let args = Args { day: None, from: None, to: None, month: false, json: false, server: None, token: None };
    assert_eq!(query(&Args { day: Some("today".into()), ..args }), "day=today");
}

#[test]
fn arguments_never_show_the_token() {
    let token = Some(SecretString::from("hunter2"));
    let args = Args { day: None, from: None, to: None, month: false, json: false, server: None, token };
    assert!(!format!("{args:?}").contains("hunter2"));
}
