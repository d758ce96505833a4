//! Processes in the vendor's JSON: keys, types and nulls as its documentation has them.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::court::Branch;
use super::phrases;
use super::process::{Movement, MovementStyle, Process};

/// An instant as the vendor writes it.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// "há 2 meses".
pub(super) fn ago(since: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let minutes = (now - since).num_minutes().max(0);
    let (count, one, many) = match minutes {
        0..60 => (minutes, "minuto", "minutos"),
        60..1_440 => (minutes / 60, "hora", "horas"),
        1_440..43_200 => (minutes / 1_440, "dia", "dias"),
        43_200..525_600 => (minutes / 43_200, "mês", "meses"),
        _ => (minutes / 525_600, "ano", "anos"),
    };
    format!("há {count} {}", if count == 1 { one } else { many })
}

fn degree_name(degree: u8) -> &'static str {
    if degree == 2 { "Segundo Grau" } else { "Primeiro Grau" }
}

fn fonte_id(process: &Process, degree: u8) -> i32 {
    process.court.id * 10 + i32::from(degree)
}

/// The id of this process in one fonte.
fn process_fonte_id(process: &Process, degree: u8) -> u64 {
    process.process_fonte_base + u64::from(degree)
}

fn degrees(process: &Process) -> Vec<u8> {
    let second = process.movements.iter().any(|movement| movement.degree == 2);
    if second { vec![1, 2] } else { vec![1] }
}

/// A movement (the documentation's Movimentacao).
pub(super) fn movement(process: &Process, movement: &Movement) -> Value {
    let mut fonte = json!({
        "fonte_id": fonte_id(process, movement.degree), "nome": process.court.name, "tipo": "TRIBUNAL",
        "sigla": process.court.sigla, "grau": movement.degree, "grau_formatado": degree_name(movement.degree),
    });
    let mut item = json!({
        "id": movement.id, "data": movement.date.to_string(),
        "tipo": if movement.publication { "PUBLICACAO" } else { "ANDAMENTO" }, "conteudo": movement.text,
    });
    if process.style == MovementStyle::Full {
        set(&mut fonte, "processo_fonte_id", json!(process_fonte_id(process, movement.degree)));
        let class = phrases::predicted_class(&movement.text);
        let class = class.map(|(name, path)| json!({"nome": name, "descricao": null, "hierarquia": path}));
        set(&mut item, "classificacao_predita", class.unwrap_or_default());
        set(&mut item, "tipo_publicacao", Value::Null);
        set(&mut item, "texto_categoria", Value::Null);
    }
    set(&mut item, "fonte", fonte);
    item
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(keys) = object.as_object_mut() {
        keys.insert(key.to_owned(), value);
    }
}

/// The whole cover (the documentation's Processo).
pub(super) fn cover(process: &Process, verified_at: DateTime<Utc>, now: DateTime<Utc>) -> Value {
    let (uf, state) = process.court.state;
    let state = json!({"nome": state, "sigla": uf});
    let unit = json!({
        "nome": process.body, "endereco": "Rua do Fórum, 1", "classificacao": "VARA", "cidade": process.court.state.1,
        "estado": state, "tribunal_sigla": process.court.sigla,
    });
    let last = process.movements.first().map(|movement| movement.date.to_string());
    let fontes: Vec<Value> =
        degrees(process).into_iter().map(|degree| fonte(process, degree, &unit, verified_at)).collect();
    json!({
        "numero_cnj": process.number.masked(), "titulo_polo_ativo": "PARTE AUTORA", "titulo_polo_passivo": "PARTE RÉ",
        "ano_inicio": process.number.year(), "data_inicio": process.started.to_string(), "estado_origem": state,
        "unidade_origem": unit, "data_ultima_movimentacao": last,
        "quantidade_movimentacoes": process.movements.len(),
        "fontes_tribunais_estao_arquivadas": process.archived, "data_ultima_verificacao": instant(verified_at),
        "tempo_desde_ultima_verificacao": ago(verified_at, now), "processos_relacionados": [], "fontes": fontes,
    })
}

fn fonte(process: &Process, degree: u8, unit: &Value, verified_at: DateTime<Utc>) -> Value {
    let court = &process.court;
    let own = || process.movements.iter().filter(|movement| movement.degree == degree);
    let started = if degree == 1 { Some(process.started) } else { own().next_back().map(|movement| movement.date) };
    let parties = parties(degree, process.court.branch, court.state.0);
    json!({
        "id": fonte_id(process, degree), "processo_fonte_id": process_fonte_id(process, degree), "outros_numeros": [],
        "descricao": format!("{} - {degree}º grau", court.sigla), "nome": court.name, "sigla": court.sigla,
        "tipo": "TRIBUNAL", "data_inicio": started.map(|date| date.to_string()),
        "data_ultima_movimentacao": own().next().map(|movement| movement.date.to_string()),
        // The documentation's own example has null for a public process.
        "segredo_justica": process.sealed.then_some(true), "arquivado": process.archived.then_some(true),
        "status_predito": if process.archived { "INATIVO" } else { "ATIVO" }, "grau": degree,
        "grau_formatado": degree_name(degree), "fisico": false, "sistema": court.system,
        "capa": capa(process, unit), "audiencias": [],
        "url": format!("https://{}.jus.br/consulta/{}", court.sigla.to_lowercase(), process.number.digits()),
        "tribunal": {"id": court.id, "nome": court.name, "sigla": court.sigla, "categoria": null},
        "quantidade_movimentacoes": own().count(), "quantidade_envolvidos": parties.len(),
        "data_ultima_verificacao": instant(verified_at), "envolvidos": parties,
    })
}

fn capa(process: &Process, unit: &Value) -> Value {
    let (class, subject, area, id) = match process.court.branch {
        Branch::Civil => ("PROCEDIMENTO COMUM CÍVEL", "Responsabilidade Civil", "CÍVEL", 3_642),
        Branch::Labour => ("AÇÃO TRABALHISTA - RITO ORDINÁRIO", "Verbas Rescisórias", "TRABALHISTA", 2_546),
        Branch::Federal => ("PROCEDIMENTO COMUM", "Benefícios em Espécie", "PREVIDENCIÁRIO", 6_094),
    };
    let class = if process.uppercase { phrases::shout(class) } else { class.to_owned() };
    let subject_node = json!({
        "id": id, "nome": subject, "nome_com_pai": format!("{area} > {subject}"),
        "path_completo": format!("{area} | {subject}"), "bloqueado": false,
    });
    let (thousands, rest) = (process.claim_reais / 1_000, process.claim_reais % 1_000);
    let formatted = if thousands == 0 { format!("R$ {rest},00") } else { format!("R$ {thousands}.{rest:03},00") };
    json!({
        "classe": class, "assunto": subject, "assuntos_normalizados": [subject_node],
        "assunto_principal_normalizado": subject_node, "area": area, "orgao_julgador": process.body,
        "orgao_julgador_normalizado": unit, "situacao": if process.archived { "Baixado" } else { "Em andamento" },
        "valor_causa": {
            "valor": format!("{}.0000", process.claim_reais), "moeda": "R$", "valor_formatado": formatted,
        },
        "data_distribuicao": process.started.to_string(), "data_arquivamento": null,
        "informacoes_complementares": null,
    })
}

fn lawyer(ordinal: u8, uf: &str) -> Value {
    json!({
        "nome": format!("ADVOGADA {ordinal}"), "quantidade_processos": 21, "tipo_pessoa": "FISICA", "prefixo": null,
        "sufixo": null, "tipo": "ADVOGADO", "tipo_normalizado": "Advogado", "polo": "ADVOGADO", "cpf": "00000000000",
        "nome_normalizado": format!("Advogada {ordinal}"),
        "oabs": [{"uf": uf, "tipo": "ADVOGADO", "numero": ordinal}],
    })
}

/// The roles of (claimant, defendant, judge); a party changes its role from one degree to the next.
fn roles(degree: u8, branch: Branch) -> [(&'static str, &'static str); 3] {
    match (degree, branch) {
        (2, Branch::Labour) => [("RECORRENTE", "Recorrente"), ("RECORRIDO", "Recorrido"), ("RELATOR", "Relator")],
        (2, _) => [("APELANTE", "Apelante"), ("APELADO", "Apelado"), ("RELATOR", "Relator")],
        (_, Branch::Labour) => [("RECLAMANTE", "Reclamante"), ("RECLAMADO", "Reclamado"), ("JUIZ", "Juiz")],
        _ => [("REQUERENTE", "Requerente"), ("REQUERIDO", "Requerido"), ("JUIZ", "Juiz")],
    }
}

fn parties(degree: u8, branch: Branch, uf: &str) -> Vec<Value> {
    let [claimant, defendant, judge] = roles(degree, branch);
    vec![
        json!({
            "nome": "PARTE AUTORA", "quantidade_processos": 1, "tipo_pessoa": "FISICA", "prefixo": null, "sufixo": null,
            "tipo": claimant.0, "tipo_normalizado": claimant.1, "polo": "ATIVO", "cpf": "00000000000",
            "nome_normalizado": "Parte Autora", "advogados": [lawyer(1, uf)],
        }),
        json!({
            "nome": "PARTE RÉ", "quantidade_processos": 12, "tipo_pessoa": "JURIDICA", "prefixo": null, "sufixo": null,
            "tipo": defendant.0, "tipo_normalizado": defendant.1, "polo": "PASSIVO", "cnpj": "00000000000000",
            "nome_normalizado": "Parte Re", "advogados": [lawyer(2, uf)],
        }),
        json!({
            "nome": format!("{} 1", judge.0), "quantidade_processos": 126, "tipo_pessoa": "FISICA", "prefixo": null,
            "sufixo": null, "tipo": judge.0, "tipo_normalizado": judge.1, "polo": "NENHUM",
        }),
    ]
}

/// The items of the envolvidos route: one for each person, document numbers masked, the fonte's key `id`.
pub(super) fn participants(process: &Process) -> Vec<Value> {
    let person = |name: &str, kind: &str, pole: &str, document: (Value, Value), role: usize| {
        let shares: Vec<Value> = degrees(process)
            .into_iter()
            .filter_map(|degree| {
                let (kind, normalised) = roles(degree, process.court.branch).get(role).copied()?;
                Some(json!({
                    "tipo": kind, "tipo_normalizado": normalised, "polo": pole, "prefixo": null, "sufixo": null,
                    "advogados": [],
                    "fonte": {
                        "processo_fonte_id": process_fonte_id(process, degree), "id": fonte_id(process, degree),
                        "tipo": "TRIBUNAL", "nome": process.court.name, "sigla": process.court.sigla, "grau": degree,
                        "grau_formatado": degree_name(degree),
                    },
                }))
            })
            .collect();
        json!({
            "nome": name, "quantidade_processos": 1, "tipo_pessoa": kind, "cpf": document.0, "cnpj": document.1,
            "participacoes_processo": shares,
        })
    };
    vec![
        person("PARTE AUTORA", "FISICA", "ATIVO", (json!("000.000.000-00"), Value::Null), 0),
        person("PARTE RÉ", "JURIDICA", "PASSIVO", (Value::Null, json!("00.000.000/0000-00")), 1),
    ]
}
