//! From the vendor's shapes to the domain's. Pure.

use chrono::{DateTime, NaiveDate, Utc};

use super::wire::{Classificacao, Fonte, Movimentacao, Processo, ProcessoFonte};
use crate::domain::cnj::Cnj;
use crate::domain::movement::{Classification, Movement, MovementId, Source, Unidentified, identify};
use crate::domain::snapshot::{Cover, Provider, Snapshot};
use crate::domain::version::Version;

/// A cover as it arrived.
#[derive(Debug)]
pub(super) struct ReceivedCover {
    pub(super) processo: Processo,
    /// The JSON it was read from.
    pub(super) raw: String,
    /// When it arrived.
    pub(super) at: DateTime<Utc>,
}

/// The whole process. Its age is the cover's: the movements are at least as new.
pub(super) fn snapshot(cnj: Cnj, cover: ReceivedCover, movements: Vec<Movimentacao>) -> Snapshot {
    Snapshot {
        cnj,
        provider: Provider::Escavador,
        version: Version::new(verified_at(&cover.processo), cover.at),
        cover: convert_cover(cnj, &cover.processo, cover.raw),
        movements: self::movements(movements),
    }
}

/// Movements with their identities, newest first.
pub(super) fn movements(movements: Vec<Movimentacao>) -> Vec<Movement> {
    identify(movements.into_iter().map(unidentified).collect())
}

/// Whether the vendor answered with the process that was asked for. Only digits count: some answers are not masked.
pub(super) fn names_another(cnj: Cnj, processo: &Processo) -> bool {
    processo.numero_cnj.as_deref().is_some_and(|named| {
        let digits: String = named.chars().filter(char::is_ascii_digit).collect();
        digits != cnj.digits()
    })
}

/// When the vendor last looked at the court: what it says for the process, else its latest look at one of the fontes.
fn verified_at(processo: &Processo) -> Option<DateTime<Utc>> {
    let latest = || processo.fontes.iter().filter_map(|fonte| fonte.data_ultima_verificacao).max();
    processo.data_ultima_verificacao.or_else(latest)
}

fn convert_cover(cnj: Cnj, processo: &Processo, raw: String) -> Cover {
    let fonte = speaking_fonte(&processo.fontes);
    let latest_day = || processo.fontes.iter().filter_map(|fonte| fonte.data_ultima_movimentacao).max();
    Cover {
        tribunal: fonte.and_then(sigla_of).unwrap_or(cnj.court().sigla).to_owned(),
        grau: fonte.and_then(|fonte| degree(fonte.grau_formatado.as_deref(), fonte.grau.as_deref())),
        sealed: processo.fontes.iter().any(|fonte| fonte.segredo_justica == Some(true)),
        declared_total: processo.quantidade_movimentacoes.and_then(|total| u64::try_from(total).ok()),
        last_movement: processo.data_ultima_movimentacao.or_else(latest_day),
        raw,
    }
}

/// The fonte that says where the process is now: of the courts' the one that moved last, else any that has a name. Of two that moved on
/// the same day the vendor's first.
fn speaking_fonte(fontes: &[ProcessoFonte]) -> Option<&ProcessoFonte> {
    let is_court = |fonte: &&ProcessoFonte| fonte.tipo.as_deref().is_some_and(|tipo| tipo.trim() == "TRIBUNAL");
    let named = || fontes.iter().filter(|fonte| sigla_of(fonte).is_some());
    moved_last(named().filter(is_court)).or_else(|| moved_last(named()))
}

fn moved_last<'a>(fontes: impl Iterator<Item = &'a ProcessoFonte>) -> Option<&'a ProcessoFonte> {
    let day = |fonte: &ProcessoFonte| fonte.data_ultima_movimentacao.unwrap_or(NaiveDate::MIN);
    fontes.reduce(|best, fonte| if day(fonte) > day(best) { fonte } else { best })
}

fn sigla_of(fonte: &ProcessoFonte) -> Option<&str> {
    fonte.sigla.as_deref().or(fonte.tribunal.sigla.as_deref()).map(str::trim)
}

fn unidentified(wire: Movimentacao) -> Unidentified {
    let movement = Movement {
        id: MovementId::from_text(String::new()),
        date: wire.data,
        kind: wire.tipo.map(|kind| settled_kind(&kind)),
        text: wire.conteudo.unwrap_or_default(),
        publication: wire.tipo_publicacao,
        category: wire.texto_categoria,
        classification: classification(wire.classificacao_predita),
        source: source(wire.fonte),
    };
    Unidentified { vendor_id: wire.id, movement }
}

/// The documentation's table writes `PUBLICAÇÃO`, its examples `PUBLICACAO`; both are the latter here.
fn settled_kind(kind: &str) -> String {
    match kind.trim().to_uppercase() {
        kind if kind == "PUBLICAÇÃO" => "PUBLICACAO".to_owned(),
        kind => kind,
    }
}

/// A class without a name says nothing that a reader could be shown.
fn classification(wire: Classificacao) -> Option<Classification> {
    let nome = wire.nome?;
    Some(Classification { nome, descricao: wire.descricao, hierarquia: wire.hierarquia })
}

fn source(wire: Fonte) -> Source {
    Source {
        id: wire.fonte_id.or(wire.id),
        tribunal: wire.sigla,
        name: wire.nome,
        kind: wire.tipo,
        grau: degree(wire.grau_formatado.as_deref(), wire.grau.as_deref()),
        caderno: wire.caderno,
    }
}

/// The degree as people read it: the vendor's words, else its number in the vendor's words.
fn degree(formatted: Option<&str>, number: Option<&str>) -> Option<String> {
    let words = formatted.or(number)?.trim();
    Some(match words {
        "1" => "Primeiro Grau".to_owned(),
        "2" => "Segundo Grau".to_owned(),
        other => other.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use serde_json::{Value, json};

    use super::super::wire::Page;
    use super::*;

    fn cnj() -> Cnj {
        Cnj::parse("0000001-39.2024.8.26.0100").unwrap()
    }

    fn arrived() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 8, 21, 12, 0, 0).unwrap()
    }

    fn convert(cover: Value, items: Value) -> Snapshot {
        let raw = cover.to_string();
        let cover = ReceivedCover { processo: Processo::decode(cover).unwrap(), raw, at: arrived() };
        let page = Page::decode(json!({"items": items, "links": {"next": null}})).unwrap();
        snapshot(cnj(), cover, page.items)
    }

    #[test]
    fn the_court_that_moved_last_speaks_for_the_process() {
        let snapshot = convert(
            json!({"data_ultima_verificacao": "2023-02-09T14:30:11+00:00", "quantidade_movimentacoes": 103, "fontes": [
                {"sigla": "DJSP", "tipo": "DIARIO_OFICIAL", "data_ultima_movimentacao": "2024-01-01"},
                {"sigla": "TJSP", "tipo": "TRIBUNAL", "data_ultima_movimentacao": "2018-04-26", "grau": 1},
                {"sigla": "STJ", "tipo": "TRIBUNAL", "data_ultima_movimentacao": "2018-07-25",
                 "grau_formatado": "Tribunal Superior", "segredo_justica": true},
            ]}),
            json!([]),
        );
        let cover = &snapshot.cover;
        assert_eq!((cover.tribunal.as_str(), cover.grau.as_deref()), ("STJ", Some("Tribunal Superior")));
        assert!(cover.sealed);
        assert_eq!(cover.declared_total, Some(103));
        assert_eq!(cover.last_movement, NaiveDate::from_ymd_opt(2024, 1, 1));
        assert_eq!(snapshot.version.verified_at.unwrap().to_rfc3339(), "2023-02-09T14:30:11+00:00");
        assert_eq!(snapshot.version.fetched_at, arrived());
        assert_eq!(serde_json::from_str::<Value>(&cover.raw).unwrap()["quantidade_movimentacoes"], 103);
    }

    #[test]
    fn what_the_cover_leaves_out_is_made_up_for() {
        let bare = convert(json!({"numero_cnj": null}), json!([]));
        assert_eq!((bare.cover.tribunal.as_str(), bare.cover.grau, bare.cover.sealed), ("TJSP", None, false));
        assert_eq!((bare.version.verified_at, bare.cover.declared_total), (None, None));

        let cover = json!({"quantidade_movimentacoes": -1, "fontes": [
            {"sigla": null, "tipo": null, "tribunal": {"sigla": "TRF4"}, "grau": "2", "data_ultima_verificacao": "2023-02-09 14:30:00"},
            {"sigla": null, "data_ultima_verificacao": "2023-02-10 00:00:00"},
        ]});
        let sparse = convert(cover, json!([]));
        assert_eq!((sparse.cover.tribunal.as_str(), sparse.cover.grau.as_deref()), ("TRF4", Some("Segundo Grau")));
        assert_eq!(sparse.version.verified_at.unwrap().to_rfc3339(), "2023-02-10T00:00:00+00:00");
        assert_eq!(sparse.cover.declared_total, None);
    }

    #[test]
    fn movements_keep_all_that_the_vendor_says() {
        let snapshot = convert(
            json!({"fontes": []}),
            json!([
                {"id": 7, "data": "2018-07-25", "tipo": "PUBLICAÇÃO", "conteudo": "<p>Vistos.</p>",
                 "tipo_publicacao": "Despacho", "texto_categoria": "Atos",
                 "classificacao_predita": {"nome": "Despacho", "descricao": null, "hierarquia": "Magistrado > Despacho"},
                 "fonte": {"fonte_id": 11, "sigla": "DJSP", "tipo": "DIARIO_OFICIAL", "grau": 1, "caderno": "Judicial 1"}},
                {"id": 9, "data": null, "tipo": "ANDAMENTO", "conteudo": null, "classificacao_predita": {"descricao": "x"}},
                {"data": "2018-07-26", "conteudo": "A"}, {"data": "2018-07-26", "conteudo": "A"},
            ]),
        );
        assert_eq!(snapshot.movements.len(), 4, "two equal texts on one day stay two");
        let publication = snapshot.movements.iter().find(|movement| movement.id.as_str() == "7").unwrap();
        assert_eq!(publication.kind.as_deref(), Some("PUBLICACAO"));
        assert_eq!(publication.classification.as_ref().unwrap().hierarquia.as_deref(), Some("Magistrado > Despacho"));
        let source = &publication.source;
        assert_eq!((source.id, source.grau.as_deref()), (Some(11), Some("Primeiro Grau")));
        assert_eq!((source.caderno.as_deref(), publication.text.as_str()), (Some("Judicial 1"), "<p>Vistos.</p>"));
        let undated = snapshot.movements.last().unwrap();
        assert_eq!((undated.id.as_str(), undated.text.as_str(), undated.classification.is_none()), ("9", "", true));
    }

    #[test]
    fn only_another_number_is_another_process() {
        let processo = |number: Value| Processo::decode(json!({"numero_cnj": number})).unwrap();
        assert!(!names_another(cnj(), &processo(json!("0000001-39.2024.8.26.0100"))));
        assert!(!names_another(cnj(), &processo(json!("00000013920248260100"))));
        assert!(!names_another(cnj(), &processo(json!(null))));
        assert!(names_another(cnj(), &processo(json!("0000001-00.2024.6.14.0000"))));
    }
}
