//! The words of court clerks and judges, as far as rules ask for them. A text becomes a short list of terms, read once.

/// A word with a meaning for the rules; everything else is [`Term::Other`], so that positions stay what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domain) enum Term {
    Acolhido,
    Acordao,
    Acordo,
    Agravo,
    Ainda,
    Apelacao,
    Arquivado,
    Ativo,
    Audiencia,
    Baixa,
    Cancelado,
    Certidao,
    Citacao,
    Classe,
    Conclusos,
    Concedido,
    Conhecido,
    Contestacao,
    Contrarrazoes,
    Convertido,
    Cumprimento,
    Dado,
    Decisao,
    Declaracao,
    Deferido,
    Definitivo,
    Desarquivado,
    Desprovido,
    Despacho,
    Determinado,
    Diligencia,
    Distribuicao,
    EmJulgado,
    Embargos,
    Emenda,
    Execucao,
    Expedicao,
    Extinto,
    Homologado,
    Improcedente,
    Incidente,
    Infringentes,
    Inicial,
    Instancia,
    Interposto,
    Intimacao,
    Julgado,
    Julgamento,
    Juntada,
    Magistrado,
    Mantido,
    Nao,
    Negado,
    Number,
    Parcial,
    Passivo,
    Pauta,
    Pedido,
    Pericia,
    Peticao,
    Procedente,
    Proferido,
    Provido,
    Provimento,
    Provisorio,
    Publicacao,
    Recurso,
    Relator,
    Remessa,
    Segunda,
    Seguranca,
    Sentenca,
    Sessao,
    Transito,
    Tribunal,
    Virtual,
    Vistos,
    Wished,
    Other,
}

use Term::*;

/// The terms of a folded text, in order. Words that carry no meaning of their own (articles, prepositions, "processo", "autos") and
/// markup are left out, so that "PROCESSO ARQUIVADO" begins with the term that matters.
pub(in crate::domain) fn terms(folded: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut before = "";
    for piece in folded.split('<').enumerate().map(|(index, piece)| if index == 0 { piece } else { after_tag(piece) }) {
        for word in piece.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()) {
            if let Some(term) = read(word, before, terms.last().copied()) {
                terms.push(term);
            }
            before = word;
        }
    }
    terms
}

// What follows "<" up to ">" is a tag when it looks like one; a lone "<" is a character like any other.
fn after_tag(piece: &str) -> &str {
    match piece.split_once('>') {
        Some((tag, rest)) if tag.starts_with(|first: char| first == '/' || first.is_ascii_alphabetic()) => rest,
        _ => piece,
    }
}

fn read(word: &str, before: &str, last: Option<Term>) -> Option<Term> {
    match (before, word) {
        // "trânsito em julgado", "coisa julgada": a state of the case, not an act of judging.
        ("em", "julgado") | ("coisa", "julgada") => return Some(EmJulgado),
        // Files come "procedentes da comarca", which is not a claim upheld.
        ("autos", "procedente" | "procedentes") => return Some(Other),
        ("em", "parte") => return Some(Parcial),
        ("parte" | "da" | "pela" | "a", "re") => return Some(Passivo),
        _ => {}
    }
    let term = look_up(word)?;
    match (last, term) {
        // "cumprimento de sentença" is a stage, "Provimento 12/2020" a regulation.
        (Some(Cumprimento), Sentenca) => Some(Other),
        _ => Some(term),
    }
}

fn look_up(word: &str) -> Option<Term> {
    let first = *word.as_bytes().first()?;
    if first.is_ascii_digit() {
        return Some(if matches!(word, "2a" | "2o") { Segunda } else { Number });
    }
    if SKIPPED.contains(&word) {
        return None;
    }
    let stems = STEMS.iter().find(|(letter, _)| *letter == first).map_or(&[][..], |(_, stems)| stems);
    let known = stems.iter().find(|(stem, _)| match stem.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => *stem == word,
    });
    Some(known.map_or(Other, |(_, term)| *term))
}

const SKIPPED: [&str; 38] = [
    "a",
    "ao",
    "aos",
    "as",
    "autos",
    "com",
    "da",
    "das",
    "de",
    "do",
    "dos",
    "e",
    "em",
    "esta",
    "este",
    "feito",
    "feitos",
    "foi",
    "foram",
    "n",
    "na",
    "nas",
    "nbsp",
    "no",
    "nos",
    "o",
    "os",
    "para",
    "pela",
    "pelo",
    "por",
    "processo",
    "processos",
    "que",
    "se",
    "um",
    "uma",
    "vista",
];

// By first letter; `*` ends a stem, the first match counts.
type Stems = [(&'static str, Term)];
#[rustfmt::skip]
const STEMS: [(u8, &Stems); 19] = [
    (b'a', &[
        ("acolh*", Acolhido), ("acordao", Acordao), ("acordaos", Acordao), ("acordo*", Acordo), ("agravo*", Agravo),
        ("aguard*", Ainda), ("antes", Ainda), ("apos", Ainda), ("ate", Ainda), ("apelacao", Apelacao), ("apelacoes", Apelacao),
        ("apelo", Apelacao), ("arquivad*", Arquivado), ("arquivamento*", Arquivado), ("audiencia*", Audiencia), ("autor", Ativo),
        ("autora", Ativo), ("autores", Ativo), ("autoras", Ativo), ("anulad*", Mantido), ("anexad*", Juntada), ("anexou", Juntada),
        ("adiad*", Cancelado),
    ]),
    (b'b', &[("baixa", Baixa), ("baixad*", Baixa)]),
    (b'c', &[
        ("cancelad*", Cancelado), ("certid*", Certidao), ("certific*", Certidao), ("citac*", Citacao), ("citad*", Citacao),
        ("classe", Classe), ("conclus*", Conclusos), ("concedid*", Concedido), ("concedo", Concedido), ("concessao", Concedido),
        ("conhecid*", Conhecido), ("conheciment*", Conhecido), ("conheco", Conhecido), ("conheceram", Conhecido),
        ("conheceu", Conhecido), ("contestac*", Contestacao), ("contrarraz*", Contrarrazoes), ("convertid*", Convertido),
        ("conversao", Convertido), ("conciliac*", Audiencia), ("confirmad*", Mantido), ("cassad*", Mantido),
        ("cumprimento", Cumprimento),
    ]),
    (b'd', &[
        ("dado", Dado), ("deram", Dado), ("deu", Dado), ("dou", Dado), ("dar", Dado), ("decisao", Decisao), ("decisoes", Decisao),
        ("decidid*", Decisao), ("declaracao", Declaracao), ("declaratorio*", Declaracao), ("deferi*", Deferido), ("defiro", Deferido),
        ("definitiv*", Definitivo), ("desarquiv*", Desarquivado), ("despach*", Despacho), ("determin*", Determinado),
        ("denegad*", Negado), ("denego", Negado), ("denegac*", Negado), ("desprovid*", Desprovido), ("desprovimento*", Desprovido),
        ("diligencia*", Diligencia), ("disponibiliz*", Publicacao), ("distribu*", Distribuicao), ("denunciac*", Incidente),
    ]),
    (b'e', &[
        ("embargos", Embargos), ("emenda*", Emenda), ("execuc*", Execucao), ("executad*", Passivo), ("exequente*", Ativo),
        ("exped*", Expedicao), ("extint*", Extinto), ("extinc*", Extinto), ("excec*", Incidente),
    ]),
    (b'h', &[("homolog*", Homologado)]),
    (b'i', &[
        ("improcede*", Improcedente), ("improvid*", Desprovido), ("improvimento*", Desprovido), ("incidente*", Incidente),
        ("indeferi*", Deferido), ("indefiro", Deferido), ("infringente*", Infringentes), ("inicial", Inicial),
        ("instancia", Instancia), ("interpost*", Interposto), ("interposic*", Interposto), ("intimac*", Intimacao),
        ("intimad*", Intimacao), ("impetrante*", Ativo), ("impetrad*", Passivo), ("impugnac*", Incidente),
    ]),
    (b'j', &[
        ("julgado", Julgado), ("julgados", Julgado), ("julgada", Julgado), ("julgadas", Julgado), ("julgo", Julgado),
        ("julgou", Julgado), ("julgaram", Julgado), ("julgamento*", Julgamento), ("juntad*", Juntada), ("juntou", Juntada),
    ]),
    (b'l', &[("laudo*", Pericia)]),
    (b'm', &[("magistrad*", Magistrado), ("mantid*", Mantido), ("manifestac*", Peticao), ("memoria*", Peticao)]),
    (b'n', &[
        ("nao", Nao), ("negad*", Negado), ("negou", Negado), ("negaram", Negado), ("nego", Negado), ("negar", Negado),
        ("notificac*", Intimacao), ("notificad*", Intimacao),
    ]),
    (b'o', &[("opost*", Interposto), ("oposic*", Interposto)]),
    (b'p', &[
        ("parcial*", Parcial), ("pauta", Pauta), ("pedido*", Pedido), ("perici*", Pericia), ("peticao", Peticao),
        ("peticoes", Peticao), ("peticionament*", Peticao), ("procedente*", Procedente), ("procedencia", Procedente), ("proferi*", Proferido),
        ("prolat*", Proferido), ("protocol*", Peticao), ("provido", Provido), ("provida", Provido), ("providos", Provido),
        ("providas", Provido), ("provimento*", Provimento), ("provisori*", Provisorio), ("publicad*", Publicacao),
        ("publicac*", Publicacao),
    ]),
    (b'r', &[
        ("razoes", Contrarrazoes), ("reabert*", Desarquivado), ("reativa*", Desarquivado), ("recurso", Recurso), ("recursos", Recurso),
        ("reconvenc*", Incidente), ("redesignad*", Cancelado), ("redistribu*", Other), ("reformad*", Mantido), ("rejeit*", Acolhido),
        ("relator*", Relator), ("remessa*", Remessa), ("remetid*", Remessa), ("replica*", Contestacao), ("requerimento*", Pedido),
        ("requerente*", Ativo), ("requerid*", Passivo), ("reclamante*", Ativo), ("reclamad*", Passivo), ("requer", Pedido),
        ("reu", Passivo), ("reus", Passivo),
    ]),
    (b's', &[
        ("segunda", Segunda), ("segundo", Segunda), ("seguranca", Seguranca), ("seja", Wished), ("sejam", Wished), ("sentenca", Sentenca), ("sentencas", Sentenca),
        ("sentenciad*", Sentenca), ("sessao", Sessao), ("sessoes", Sessao),
    ]),
    (b't', &[("transit*", Transito), ("transacao", Acordo), ("tribunal", Tribunal), ("turma", Tribunal)]),
    (b'v', &[("virtua*", Virtual), ("vistos", Vistos)]),
    (b'g', &[("grau", Instancia)]),
    (b'q', &[("quando", Ainda)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_of_folded_texts() {
        for (folded, expected) in [
            ("transito em julgado as partes", vec![Transito, EmJulgado, Other]),
            (
                "julgado procedente em parte o pedido da parte re",
                vec![Julgado, Procedente, Parcial, Pedido, Other, Passivo],
            ),
            ("decisao de 2a instancia - recurso nao provido", vec![Decisao, Segunda, Instancia, Recurso, Nao, Provido]),
            ("cumprimento de sentenca", vec![Cumprimento, Other]),
            ("<p class=\"x\">juntada</p> de<br/>peticao 3 < 4", vec![Juntada, Peticao, Number, Number]),
            ("orgao julgador: providencias", vec![Other, Other, Other]),
            ("", vec![]),
        ] {
            assert_eq!(terms(folded), expected, "{folded}");
        }
    }

    #[test]
    fn each_stem_stands_under_its_own_letter_and_can_be_reached() {
        for (letter, stems) in STEMS {
            for (index, (stem, term)) in stems.iter().enumerate() {
                assert_eq!(stem.as_bytes()[0], letter, "{stem}");
                let hidden = stems[..index].iter().find(|(earlier, other)| {
                    other != term && earlier.strip_suffix('*').is_some_and(|earlier| stem.starts_with(earlier))
                });
                assert_eq!(hidden, None, "{stem}");
            }
        }
    }
}
