//! In which of DataJud's indices a number may be: each court has one, named by an alias. Pure.
//!
//! The suffixes are those of the CNJ's wiki, kept with the courts; where sources disagree, every candidate is asked in turn.

use std::borrow::Cow;

use crate::domain::cnj::Cnj;
use crate::domain::court::court;

/// One index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alias {
    /// What follows `api_publica_`.
    suffix: Cow<'static, str>,
    /// The court whose processes it holds, as the rest of the project names it.
    pub(super) sigla: &'static str,
}

impl Alias {
    /// `/api_publica_<suffix>/_search`.
    pub(super) fn path(&self) -> String {
        format!("/api_publica_{}/_search", self.suffix)
    }

    /// `api_publica_<suffix>`.
    pub(super) fn name(&self) -> String {
        format!("api_publica_{}", self.suffix)
    }
}

/// Suffixes that nobody could tell for certain.
#[derive(Debug, Clone)]
pub(super) struct DoubtfulAliases {
    /// The electoral court of the Distrito Federal. The wiki lists `tre-dft`, two third parties measured `tre-df`: the next one is
    /// asked when one does not exist.
    pub(super) tre_df: Vec<Cow<'static, str>>,
    /// Where else numbers of the first federal region may be: Minas Gerais became a region of its own (the sixth) in 2022, and old
    /// numbers kept their 4.01. Asked when the first has none.
    pub(super) after_trf1: Vec<Cow<'static, str>>,
}

impl Default for DoubtfulAliases {
    fn default() -> Self {
        Self { tre_df: vec!["tre-df".into(), "tre-dft".into()], after_trf1: vec!["trf6".into()] }
    }
}

/// The indices to ask for a number, in order. None for courts that DataJud does not hold: STF, CNJ, CJF, CSJT, the military
/// circuits, and the states without a military court.
pub(super) fn aliases(cnj: &Cnj, doubtful: &DoubtfulAliases) -> Vec<Alias> {
    let own = cnj.court();
    let Some(suffix) = own.datajud else {
        return Vec::new();
    };
    let named = |suffix: &Cow<'static, str>, sigla| Alias { suffix: suffix.clone(), sigla };
    match suffix {
        "tre-df" => doubtful.tre_df.iter().map(|suffix| named(suffix, own.sigla)).collect(),
        "trf1" => {
            let sixth = court(4, 6).map_or(own.sigla, |court| court.sigla);
            let elsewhere = doubtful.after_trf1.iter().map(|suffix| named(suffix, sixth));
            std::iter::once(named(&suffix.into(), own.sigla)).chain(elsewhere).collect()
        }
        _ => vec![named(&suffix.into(), own.sigla)],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A number of that court, its check digits right.
    fn number(j: u32, tr: u32) -> Cnj {
        let rest = format!("00000012024{j}{tr:02}0001");
        let remainder =
            rest.chars().chain("00".chars()).fold(0, |rest, digit| (rest * 10 + digit.to_digit(10).unwrap()) % 97);
        Cnj::parse(&format!("0000001{:02}2024{j}{tr:02}0001", 98 - remainder)).unwrap()
    }

    fn names(j: u32, tr: u32) -> Vec<String> {
        aliases(&number(j, tr), &DoubtfulAliases::default()).iter().map(Alias::name).collect()
    }

    #[test]
    fn every_court_has_the_alias_of_the_wiki() {
        const STATES: [&str; 27] = [
            "ac", "al", "ap", "am", "ba", "ce", "df", "es", "go", "ma", "mt", "ms", "mg", "pa", "pb", "pr", "pe", "pi",
            "rj", "rn", "rs", "ro", "rr", "sc", "se", "sp", "to",
        ];
        let mut expected: Vec<((u32, u32), Vec<String>)> = vec![
            ((3, 0), vec!["stj".into()]),
            ((5, 0), vec!["tst".into()]),
            ((6, 0), vec!["tse".into()]),
            ((7, 0), vec!["stm".into()]),
            ((9, 13), vec!["tjmmg".into()]),
            ((9, 21), vec!["tjmrs".into()]),
            ((9, 26), vec!["tjmsp".into()]),
            ((4, 1), vec!["trf1".into(), "trf6".into()]),
        ];
        expected.extend((2..=6).map(|tr| ((4, tr), vec![format!("trf{tr}")])));
        expected.extend((1..=24).map(|tr| ((5, tr), vec![format!("trt{tr}")])));
        for (tr, state) in (1..).zip(STATES) {
            let (tj, tre) = match state {
                "df" => (vec!["tjdft".into()], vec!["tre-df".into(), "tre-dft".into()]),
                _ => (vec![format!("tj{state}")], vec![format!("tre-{state}")]),
            };
            expected.extend([((8, tr), tj), ((6, tr), tre)]);
        }
        let mut all = BTreeSet::new();
        for ((j, tr), suffixes) in &expected {
            let suffixes: Vec<String> = suffixes.iter().map(|suffix| format!("api_publica_{suffix}")).collect();
            assert_eq!(names(*j, *tr), suffixes, "{j}.{tr}");
            all.extend(suffixes);
        }
        assert_eq!((expected.len(), all.len()), (91, 92), "91 courts; the doubtful one has two names");
    }

    #[test]
    fn courts_without_an_index_are_not_asked_for() {
        let mut none = vec![(1, 0), (2, 0), (4, 90), (5, 90)];
        none.extend((1..=12).map(|tr| (7, tr)));
        none.extend((1..=27).filter(|tr| ![13, 21, 26].contains(tr)).map(|tr| (9, tr)));
        for (j, tr) in none {
            assert!(names(j, tr).is_empty(), "{j}.{tr}");
        }
    }

    #[test]
    fn an_alias_names_its_own_court_and_its_path() {
        let found = aliases(&number(4, 1), &DoubtfulAliases::default());
        assert_eq!(found.iter().map(|alias| alias.sigla).collect::<Vec<_>>(), ["TRF1", "TRF6"]);
        let brasilia = aliases(&number(8, 7), &DoubtfulAliases::default());
        assert_eq!((brasilia[0].path().as_str(), brasilia[0].sigla), ("/api_publica_tjdft/_search", "TJDF"));
    }

    #[test]
    fn what_is_doubtful_can_be_set() {
        let doubtful = DoubtfulAliases { tre_df: vec!["tre-xx".into()], after_trf1: Vec::new() };
        let names = |cnj: Cnj| aliases(&cnj, &doubtful).iter().map(Alias::name).collect::<Vec<_>>();
        assert_eq!(names(number(6, 7)), ["api_publica_tre-xx"]);
        assert_eq!(names(number(4, 1)), ["api_publica_trf1"]);
    }
}
