//! What a court's text is in the CNJ's tables (TPU): a code, its name, and complements instead of the text.
//!
//! Codes of movements are the tables' as far as they are known; those of complements are only consistent.

use serde_json::{Value, json};

use super::super::phrases::shout;

/// A movement as the service writes it, but for its time.
pub(super) fn of(text: &str) -> Value {
    let shouted = shout(text);
    let has = |words: &[&str]| words.iter().any(|word| shouted.contains(word));
    let starts = |words: &[&str]| words.iter().any(|word| shouted.starts_with(word));
    if starts(&["DISTRIBU"]) {
        let (value, kind) = match () {
            () if has(&["DEPENDENCIA"]) => (4, "dependência"),
            () if has(&["PREVENCAO"]) => (3, "prevenção"),
            () => (2, "sorteio"),
        };
        return with(26, "Distribuição", &[(2, value, kind, "tipo_de_distribuicao_redistribuicao")]);
    }
    if starts(&["CONCLUS"]) {
        let (value, kind) = match () {
            () if has(&["SENTENCA", "JULGAMENTO", "RELATOR"]) => (36, "para julgamento"),
            () if has(&["DECISAO"]) => (6, "para decisão"),
            () => (5, "para despacho"),
        };
        return with(51, "Conclusão", &[(3, value, kind, "tipo_de_conclusao")]);
    }
    if starts(&["AUDIENCIA"]) {
        let kind = if has(&["CONCILIACAO"]) { (10, "conciliação") } else { (12, "instrução e julgamento") };
        let state = if has(&["REALIZADA"]) { (13, "realizada") } else { (9, "designada") };
        let of = [(16, kind.0, kind.1, "tipo_de_audiencia"), (15, state.0, state.1, "situacao_da_audiencia")];
        return with(970, "Audiência", &of);
    }
    if starts(&["JUNTADA"]) {
        return joined(&shouted);
    }
    if starts(&["REMETID"]) && has(&["RECURSO", "TRIBUNAL"]) {
        return with(123, "Remessa", &[(18, 40, "em grau de recurso", "motivo_da_remessa")]);
    }
    plain(&shouted).unwrap_or_else(|| {
        let document = if has(&["CERTID"]) { (107, "Certidão") } else { (108, "Outros documentos") };
        with(60, "Expedição de documento", &[(4, document.0, document.1, "tipo_de_documento")])
    })
}

fn joined(shouted: &str) -> Value {
    let papers = [
        ("CONTESTACAO", 57, "Contestação"),
        ("REPLICA", 58, "Réplica"),
        ("CONTRARRAZOES", 60, "Contrarrazões"),
        ("APELACAO", 59, "Apelação"),
        ("RECURSO ORDINARIO", 61, "Recurso Ordinário"),
        ("ALEGACOES FINAIS", 62, "Alegações Finais"),
    ];
    let paper = papers.iter().find(|(word, ..)| shouted.contains(word));
    if paper.is_some() || shouted.contains("PETICAO") {
        let (value, name) = paper.map_or((56, "Petição (outras)"), |(_, value, name)| (*value, *name));
        return with(85, "Petição", &[(19, value, name, "tipo_de_peticao")]);
    }
    with(581, "Juntada de documento", &[(4, 108, "Outros documentos", "tipo_de_documento")])
}

/// Names that need no complement. The table's own name of the definitive archive is a leaf without its branch.
fn plain(shouted: &str) -> Option<Value> {
    const STARTS: [(&str, u32, &str); 22] = [
        ("JULGADO PROCEDENTE EM PARTE", 221, "Procedência em Parte"),
        ("JULGADO(S) PROCEDENTE(S) EM PARTE", 221, "Procedência em Parte"),
        ("JULGADO PROCEDENTE", 219, "Procedência"),
        ("JULGADO(S) PROCEDENTE(S)", 219, "Procedência"),
        ("JULGADO IMPROCEDENTE", 220, "Improcedência"),
        ("JULGADO(S) IMPROCEDENTE(S)", 220, "Improcedência"),
        ("RECURSO NAO PROVIDO", 239, "Não-Provimento"),
        ("RECURSO PROVIDO", 237, "Provimento"),
        ("TRANSITO EM JULGADO", 848, "Trânsito em julgado"),
        ("BAIXA DEFINITIVA", 22, "Baixa Definitiva"),
        ("ARQUIVADO", 246, "Definitivo"),
        ("PUBLICADO", 92, "Publicação"),
        ("DISPONIBILIZADO", 1_061, "Disponibilização no Diário da Justiça Eletrônico"),
        ("PROFERIDA DECISAO", 3, "Decisão"),
        ("ATO ORDINATORIO", 11_383, "Ato ordinatório"),
        ("REMETID", 123, "Remessa"),
        ("RECEBIDOS OS AUTOS", 132, "Recebimento"),
        ("INCLUIDO EM PAUTA", 417, "Inclusão em pauta"),
        ("EXTINTA A EXECUCAO", 196, "Extinção da execução ou do cumprimento da sentença"),
        ("EMBARGOS DE DECLARACAO NAO", 200, "Não-Acolhimento de Embargos de Declaração"),
        ("EMBARGOS DE DECLARACAO", 198, "Acolhimento de Embargos de Declaração"),
        ("EMENDA", 15_085, "Emenda à Inicial"),
    ];
    let begun = || shouted.contains("CUMPRIMENTO DE SENTENCA") && !shouted.starts_with("EXTINTA");
    if let Some((_, code, name)) = STARTS.iter().find(|(start, ..)| shouted.starts_with(start)) {
        return Some(with(*code, name, &[]));
    }
    if shouted.starts_with("CONHECIDO O RECURSO") {
        let lost = shouted.contains("NAO PROVIDO");
        return Some(if lost { with(239, "Não-Provimento", &[]) } else { with(237, "Provimento", &[]) });
    }
    if begun() {
        return Some(with(11_385, "Execução/Cumprimento de Sentença Iniciada (o)", &[]));
    }
    if ["INTIMACAO", "NOTIFICACAO"].iter().any(|word| shouted.contains(word)) {
        return Some(with(12_265, "Expedida/certificada a intimação eletrônica", &[]));
    }
    ["DESPACHO", "CITE-SE", "RECEBIDA A PETICAO INICIAL"]
        .iter()
        .any(|word| shouted.contains(word))
        .then(|| with(11_010, "Mero expediente", &[]))
}

/// Whether the enforcement of a sentence begins here: the process changes its class.
pub(super) fn begins_enforcement(text: &str) -> bool {
    of(text).get("codigo").and_then(Value::as_u64) == Some(11_385)
}

fn with(code: u32, name: &str, complements: &[(u32, u32, &str, &str)]) -> Value {
    let mut movement = json!({"codigo": code, "nome": name});
    let complements: Vec<Value> = complements
        .iter()
        .map(|(code, value, name, key)| json!({"codigo": code, "valor": value, "nome": name, "descricao": key}))
        .collect();
    if let Some(keys) = movement.as_object_mut().filter(|_| !complements.is_empty()) {
        keys.insert("complementosTabelados".to_owned(), json!(complements));
    }
    movement
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_code() {
        for (text, code) in [
            ("Distribuído por sorteio", 26),
            ("CONCLUSOS PARA SENTENCA", 51),
            ("Juntada de petição de contestação", 85),
            ("Juntada de AR positivo - citação cumprida", 581),
            ("Julgado procedente em parte o pedido", 221),
            ("Julgado improcedente o pedido", 220),
            ("Trânsito em julgado às partes", 848),
            ("Arquivado definitivamente", 246),
            ("Iniciado o cumprimento de sentença no valor de R$ 1,00", 11_385),
            ("Conhecido o recurso de PARTE RÉ e não provido. Votação unânime", 239),
            ("Audiência de conciliação designada", 970),
            ("Qualquer outra coisa", 60),
        ] {
            assert_eq!(of(text)["codigo"], code, "{text}");
        }
        assert!(begins_enforcement("Evoluída a classe para cumprimento de sentença"));
        assert!(!begins_enforcement("Extinta a execução ou o cumprimento da sentença"));
    }
}
