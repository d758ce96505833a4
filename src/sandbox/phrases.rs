//! What a court writes: the acts of a case in their order, the small acts between them, and how a phrase becomes a text.
//!
//! Grammar of a phrase: `[a|b]` is one of the alternatives, `{dia}` a date, `{valor}` an amount, `{ref}` a register number,
//! `{prazo}` a number of days, `{unidade}` the judging body. Nobody has a name here but PARTE AUTORA, PARTE RÉ and ADVOGADA 1.

use chrono::{Days, NaiveDate};

use super::court::Branch;
use super::dice::Dice;

/// First degree up to the appeal, state and federal courts.
const CIVIL_FIRST: &[&str] = &[
    "Distribuído por [sorteio|dependência|sorteio - Processo Digital]",
    "Conclusos para [despacho|decisão]",
    "[Recebida a petição inicial. Determinada a citação da parte ré para contestar no prazo de 15 dias úteis|Proferido despacho de mero expediente: cite-se e intime-se a parte ré|Concedida a gratuidade da justiça à parte autora e determinada a citação]",
    "Expedição de [mandado de citação|carta de citação por AR digital|citação eletrônica]",
    "Juntada de [AR positivo - citação cumprida|mandado de citação cumprido positivo]",
    "Juntada de petição de [contestação|contestação com reconvenção]",
    "Ato ordinatório praticado: manifeste-se a parte autora sobre a contestação no prazo de {prazo} dias",
    "Juntada de petição de [réplica|manifestação sobre a contestação]",
    "Proferida decisão de saneamento e organização do processo",
    "Audiência de [instrução e julgamento|conciliação] designada para o dia {dia}, às 14h00, na sala de audiências da {unidade}",
    "Audiência de [instrução e julgamento|conciliação] realizada, sem acordo entre as partes",
    "Juntada de petição de alegações finais",
    "Conclusos para [sentença|julgamento]",
    "[Julgado procedente o pedido|Julgado improcedente o pedido|Julgado procedente em parte o pedido]",
    "Publicado no DJE em {dia}. Relação: {ref}. Teor do ato: Vistos. Trata-se de ação ajuizada por PARTE AUTORA em face de PARTE RÉ. Ante o exposto, e considerando o mais que dos autos consta, resolvo o mérito na forma do artigo 487, inciso I, do Código de Processo Civil. Custas e honorários na forma da lei, estes fixados em 10% sobre o valor atualizado da causa, de {valor}. Publique-se e intimem-se. Advogados(s): ADVOGADA 1 (OAB 000001/SP)",
    "Intimação da sentença [expedida às partes|disponibilizada no Diário de Justiça eletrônico]",
    "Juntada de petição de [apelação|recurso de apelação com preparo no valor de {valor}]",
    "Intimação para contrarrazões ao recurso, no prazo de {prazo} dias",
    "Juntada de petição de contrarrazões",
    "Remetidos os autos ao [Tribunal para julgamento do recurso|Tribunal de Justiça - Seção de Direito Privado]",
];

/// First degree up to the appeal, labour courts.
const LABOUR_FIRST: &[&str] = &[
    "Distribuído por sorteio",
    "Conclusos os autos para despacho (genérica) a JUIZ 1",
    "Expedida notificação à parte reclamada para a audiência inicial",
    "Audiência inicial por videoconferência designada ({dia} 09:20 {unidade})",
    "Juntada a petição de Contestação",
    "Audiência inicial por videoconferência realizada ({dia} 09:20 {unidade})",
    "Juntada a petição de Manifestação (Réplica)",
    "Nomeado perito. Laudo no prazo de {prazo} dias",
    "Juntada a petição de Apresentação de Laudo Pericial",
    "Audiência de instrução realizada ({dia} 11:00 {unidade})",
    "Juntada a petição de Razões Finais",
    "Conclusos os autos para julgamento (proferir sentença) a JUIZ 1",
    "[Julgado(s) procedente(s) em parte o(s) pedido(s)|Julgado(s) procedente(s) o(s) pedido(s)|Julgado(s) improcedente(s) o(s) pedido(s)] ( / ) de PARTE AUTORA",
    "Disponibilizado(a) o(a) intimação no Diário da Justiça Eletrônico do dia {dia}. Fica a parte intimada para tomar ciência da sentença, cujo dispositivo segue: ante o exposto, na reclamação trabalhista movida por PARTE AUTORA em face de PARTE RÉ, decide o Juízo condenar a reclamada ao pagamento das verbas deferidas na fundamentação. Custas de 2% sobre o valor da condenação, arbitrado em {valor}. Intimem-se. Nada mais.",
    "Juntada a petição de Recurso Ordinário",
    "Intimação para contrarrazões ao recurso ordinário",
    "Juntada a petição de Contrarrazões",
    "Remetidos os autos para Órgão jurisdicional competente para processar recurso",
];

/// The appeal itself, in the second degree.
const SECOND: &[&str] = &[
    "Distribuído por [sorteio ao RELATOR 1|prevenção ao RELATOR 1]",
    "Conclusos para o relator (expedido termo com conclusão)",
    "Expedido [certidão de publicação de distribuição|certidão]",
    "Incluído em pauta para o dia {dia} às 13:30, sessão [virtual|presencial]",
    "Julgado [virtualmente|em sessão presencial]",
    "[Recurso não provido|Conhecido o recurso de PARTE RÉ e não provido|Recurso provido em parte|Conhecido o recurso e provido]. Votação unânime",
    "Publicado acórdão em {dia}. Ementa: APELAÇÃO. AÇÃO DE CONHECIMENTO. Sentença que bem examinou a prova produzida. Alegações recursais que não infirmam os fundamentos adotados na origem. Honorários majorados na forma do artigo 85, parágrafo 11, do Código de Processo Civil. Resultado proclamado por votação unânime, nos termos do voto do relator.",
    "Trânsito em julgado às partes",
    "Expedido certidão de baixa de recurso",
    "Baixa definitiva",
];

/// After the appeal, back in the first degree.
const CLOSING: &[&str] = &[
    "Recebidos os autos do Tribunal [de Justiça|com acórdão]",
    "Trânsito em julgado [às partes - proc. em andamento|em {dia}]",
    "[Iniciado o cumprimento de sentença no valor de {valor}|Evoluída a classe para cumprimento de sentença]",
    "Expedição de [alvará de levantamento no valor de {valor}|mandado de levantamento eletrônico]",
    "[Extinta a execução ou o cumprimento da sentença|Proferida sentença de extinção pelo pagamento]",
    "Arquivado definitivamente",
];

/// What fills the days between two acts.
const BETWEEN: &[&str] = &[
    "Certidão de cartório expedida",
    "Certidão de publicação expedida",
    "Remetido ao DJE",
    "Juntada de petição",
    "Juntada de petição intercorrente",
    "Juntada de petição de manifestação de PARTE [AUTORA|RÉ] sobre os documentos de folhas retro",
    "Juntada de [substabelecimento|procuração|guia de custas recolhidas no valor de {valor}|documentos]",
    "Conclusos para despacho",
    "Proferido despacho",
    "Proferido despacho de mero expediente",
    "Ato ordinatório praticado",
    "Ato ordinatório praticado - intimação da parte para se manifestar em {prazo} dias sobre o resultado da diligência",
    "Expedição de [documento|ofício|certidão|intimação eletrônica|mandado]",
    "Decorrido prazo de PARTE [AUTORA|RÉ] em {dia}",
    "Suspensão do prazo",
    "Prazo em curso",
    "Mandado devolvido [cumprido positivo|cumprido negativo: endereço não localizado, conforme certidão do oficial]",
    "Embargos de declaração [acolhidos|não acolhidos]",
    "Intimação [expedida|eletrônica confirmada em {dia}]",
    "Disponibilizado no Diário de Justiça eletrônico em {dia}. Relação {ref}: fica a parte interessada intimada para providenciar o recolhimento das custas da diligência, no prazo de {prazo} dias, sob pena de preclusão. Advogados(s): ADVOGADA 1 (OAB 000001/SP), ADVOGADA 2 (OAB 000002/SP)",
    "Proferida decisão interlocutória: indefiro, por ora, o pedido de tutela de urgência, porque ausentes os requisitos do artigo 300 do Código de Processo Civil, sem prejuízo de nova análise após o contraditório",
    "Documento assinado eletronicamente",
];

/// The judging body's name, by branch.
pub(super) fn judging_body(branch: Branch, unit: i32, city: &str) -> String {
    let ordinal = unit % 40 + 1;
    match branch {
        Branch::Labour => format!("{ordinal}ª Vara do Trabalho de {city}"),
        Branch::Federal => format!("{ordinal}ª Vara Federal de {city}"),
        Branch::Civil => format!("{ordinal}ª Vara Cível de {city}"),
    }
}

/// Every act of a whole case in order, with the degree it happens in; `appeal` says whether there is a second degree.
pub(super) fn acts(branch: Branch, appeal: bool) -> Vec<(u8, &'static str)> {
    let first = if branch == Branch::Labour { LABOUR_FIRST } else { CIVIL_FIRST };
    // The acts from the appeal on close every first list; without an appeal the case goes from the ruling to its closing.
    let appeal_starts = first.iter().position(|phrase| phrase.contains("ecurso") || phrase.contains("apelação"));
    let until = if appeal { first.len() } else { appeal_starts.unwrap_or(first.len()) };
    let first = first.iter().take(until).map(|phrase| (1, *phrase));
    let second = SECOND.iter().filter(|_| appeal).map(|phrase| (2, *phrase));
    let closing = CLOSING.iter().skip(usize::from(!appeal)).map(|phrase| (1, *phrase));
    first.chain(second).chain(closing).collect()
}

/// One of the small acts.
pub(super) fn between(dice: &mut Dice) -> &'static str {
    dice.pick(BETWEEN).copied().unwrap_or("Proferido despacho")
}

/// Writes a phrase out: alternatives thrown, blanks filled.
pub(super) fn write(phrase: &str, date: NaiveDate, body: &str, dice: &mut Dice) -> String {
    let mut text = String::with_capacity(phrase.len() + 32);
    let mut rest = phrase;
    while let Some(at) = rest.find(['[', '{']) {
        let (before, opened) = rest.split_at(at);
        text.push_str(before);
        let closer = if opened.starts_with('[') { ']' } else { '}' };
        let Some((inside, after)) = opened.split_once(closer) else {
            break;
        };
        let inside = inside.get(1..).unwrap_or_default();
        if closer == ']' {
            let alternatives: Vec<&str> = inside.split('|').collect();
            // An alternative may hold a blank, so it is read again.
            let chosen = dice.pick(&alternatives).copied().unwrap_or_default();
            text.push_str(&write(chosen, date, body, dice));
        } else {
            text.push_str(&fill(inside, date, body, dice));
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

fn fill(blank: &str, date: NaiveDate, body: &str, dice: &mut Dice) -> String {
    match blank {
        "dia" => {
            let day = date.checked_add_days(Days::new(u64::from(dice.between(1, 40)))).unwrap_or(date);
            day.format("%d/%m/%Y").to_string()
        }
        "valor" => format!("R$ {}.{:03},{:02}", dice.between(1, 180), dice.between(0, 999), dice.between(0, 99)),
        "ref" => format!("{:04}/{}", dice.between(1, 1999), date.format("%Y")),
        "prazo" => dice.pick(&["5", "10", "15", "30"]).copied().unwrap_or("15").to_owned(),
        _ => body.to_owned(),
    }
}

/// UPPERCASE WITHOUT ACCENTS, as part of the vendor's data comes.
pub(super) fn shout(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            'á' | 'à' | 'â' | 'ã' | 'Á' | 'À' | 'Â' | 'Ã' => 'A',
            'é' | 'ê' | 'É' | 'Ê' => 'E',
            'í' | 'Í' => 'I',
            'ó' | 'ô' | 'õ' | 'Ó' | 'Ô' | 'Õ' => 'O',
            'ú' | 'ü' | 'Ú' | 'Ü' => 'U',
            'ç' | 'Ç' => 'C',
            other => other.to_ascii_uppercase(),
        })
        .collect()
}

/// The vendor's predicted class `(nome, hierarquia)`; most texts get none.
pub(super) fn predicted_class(text: &str) -> Option<(&'static str, &'static str)> {
    let shouted = shout(text);
    [
        ("DISTRIBUIDO", "Distribuição", "Movimentações do Serventuário > Distribuição"),
        (
            "JULGADO PROCEDENTE EM PARTE",
            "Procedência em parte",
            "Movimentações do Magistrado > Julgamento > Procedência em parte",
        ),
        ("JULGADO PROCEDENTE", "Procedência", "Movimentações do Magistrado > Julgamento > Procedência"),
        ("JULGADO IMPROCEDENTE", "Improcedência", "Movimentações do Magistrado > Julgamento > Improcedência"),
        ("CONCLUSOS", "Conclusão", "Movimentações do Serventuário > Conclusão"),
        ("AUDIENCIA", "Audiência", "Movimentações do Serventuário > Audiência"),
        ("JUNTADA DE PETICAO", "Petição", "Movimentações do Serventuário > Juntada > Petição"),
        ("TRANSITO EM JULGADO", "Trânsito em julgado", "Movimentações do Serventuário > Trânsito em julgado"),
        ("ARQUIVADO", "Arquivamento", "Movimentações do Serventuário > Arquivamento > Definitivo"),
    ]
    .into_iter()
    .find(|(start, ..)| shouted.starts_with(start))
    .map(|(_, name, path)| (name, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_written_out_completely() {
        let date = NaiveDate::from_ymd_opt(2024, 5, 2).unwrap();
        let mut dice = Dice::new(1, "phrases");
        let lists = [CIVIL_FIRST, LABOUR_FIRST, SECOND, CLOSING, BETWEEN];
        for phrase in lists.concat() {
            let text = write(phrase, date, "1ª Vara Cível de São Paulo", &mut dice);
            assert!(!text.contains(['[', ']', '{', '}', '|']), "{text}");
            assert!(text.chars().count() <= 600 && !text.is_empty(), "{text}");
            assert!(shout(&text).chars().all(|letter| !letter.is_lowercase() || "ªº".contains(letter)), "{text}");
        }
    }

    #[test]
    fn a_case_without_appeal_never_reaches_the_second_degree() {
        for branch in [Branch::Civil, Branch::Labour, Branch::Federal] {
            assert!(acts(branch, false).iter().all(|(degree, _)| *degree == 1));
            let whole = acts(branch, true);
            assert!(whole.iter().any(|(degree, _)| *degree == 2));
            assert_eq!(whole.last(), Some(&(1, "Arquivado definitivamente")));
            assert!(acts(branch, false).len() > 15);
        }
    }
}
