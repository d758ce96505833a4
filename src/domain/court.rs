//! Which court a CNJ number belongs to: the segment digit `J` and the court field `TR`.

use serde::Serialize;

use super::court_table as table;

/// One court (or council), as both vendors name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Court {
    /// Escavador's abbreviation: `TJDF` (not `TJDFT`), `TRT-15`, `TRE-PR`, `STF`.
    pub sigla: &'static str,
    /// The name for end users: `Tribunal de Justiça de São Paulo`.
    pub name: &'static str,
    /// The branch of the judiciary.
    pub segment: Segment,
    /// What follows `api_publica_` in DataJud's alias (`tjdft`, `trt15`, `tre-pr`); `None` where DataJud has no such index.
    pub datajud: Option<&'static str>,
}

/// A branch of the Brazilian judiciary: the digit `J` of a CNJ number, 1 to 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// 1: the supreme court.
    Stf,
    /// 2: the national council of justice.
    Cnj,
    /// 3: the superior court of justice.
    Stj,
    /// 4: federal courts.
    Federal,
    /// 5: labour courts.
    Trabalho,
    /// 6: electoral courts.
    Eleitoral,
    /// 7: military courts of the Union.
    MilitarUniao,
    /// 8: courts of the states and of the federal district.
    Estadual,
    /// 9: military courts of the states.
    MilitarEstadual,
}

impl Segment {
    /// The segment of a digit `J`; `None` for 0 and for anything above 9.
    #[must_use]
    pub const fn of(digit: u8) -> Option<Self> {
        Some(match digit {
            1 => Self::Stf,
            2 => Self::Cnj,
            3 => Self::Stj,
            4 => Self::Federal,
            5 => Self::Trabalho,
            6 => Self::Eleitoral,
            7 => Self::MilitarUniao,
            8 => Self::Estadual,
            9 => Self::MilitarEstadual,
            _ => return None,
        })
    }

    /// The name for end users, in Portuguese.
    #[must_use]
    pub const fn name_pt(self) -> &'static str {
        match self {
            Self::Stf => "Supremo Tribunal Federal",
            Self::Cnj => "Conselho Nacional de Justiça",
            Self::Stj => "Superior Tribunal de Justiça",
            Self::Federal => "Justiça Federal",
            Self::Trabalho => "Justiça do Trabalho",
            Self::Eleitoral => "Justiça Eleitoral",
            Self::MilitarUniao => "Justiça Militar da União",
            Self::Estadual => "Justiça Estadual",
            Self::MilitarEstadual => "Justiça Militar Estadual",
        }
    }
}

/// The court of a segment digit `J` and a court field `TR` (0 to 99); `None` when no such court exists.
#[must_use]
pub fn court(segment_digit: u8, tr: u8) -> Option<&'static Court> {
    let numbered: &'static [Court] = match (Segment::of(segment_digit)?, tr) {
        (Segment::Stf, 0) => return Some(&table::STF),
        (Segment::Cnj, 0) => return Some(&table::CNJ),
        (Segment::Stj, 0) => return Some(&table::STJ),
        (Segment::Federal, 90) => return Some(&table::CJF),
        (Segment::Trabalho, 0) => return Some(&table::TST),
        (Segment::Trabalho, 90) => return Some(&table::CSJT),
        (Segment::Eleitoral, 0) => return Some(&table::TSE),
        (Segment::MilitarUniao, 0) => return Some(&table::STM),
        (Segment::Stf | Segment::Cnj | Segment::Stj, _) => return None,
        (Segment::Federal, _) => &table::TRF,
        (Segment::Trabalho, _) => &table::TRT,
        (Segment::Eleitoral, _) => &table::TRE,
        (Segment::MilitarUniao, _) => &table::CJM,
        (Segment::Estadual, _) => &table::TJ,
        (Segment::MilitarEstadual, _) => &table::TJM,
    };
    numbered.get(usize::from(tr).checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn every_court() -> Vec<&'static Court> {
        (0..=u8::MAX).flat_map(|j| (0..=u8::MAX).filter_map(move |tr| court(j, tr))).collect()
    }

    #[test]
    fn the_91_aliases_of_datajud_are_all_there_and_distinct() {
        let aliases: Vec<_> = every_court().iter().filter_map(|court| court.datajud).collect();
        let count = |prefix: &str| aliases.iter().filter(|alias| alias.starts_with(prefix)).count();
        assert_eq!(aliases.len(), 91);
        assert_eq!(aliases.iter().collect::<BTreeSet<_>>().len(), 91);
        assert_eq!((count("trf"), count("trt"), count("tre-")), (6, 24, 27));
        assert_eq!(count("tj"), 27 + 3);
        for superior in ["stj", "tst", "tse", "stm"] {
            assert!(aliases.contains(&superior), "{superior}");
        }
    }

    #[test]
    fn each_court_lies_in_the_segment_of_its_digit() {
        for j in 0..=u8::MAX {
            for tr in 0..=u8::MAX {
                if let Some(court) = court(j, tr) {
                    assert_eq!(Some(court.segment), Segment::of(j), "{j}.{tr}");
                }
            }
        }
        assert_eq!(every_court().len(), 3 + 7 + 26 + 28 + 13 + 27 + 27);
    }

    #[test]
    fn known_courts() {
        for (j, tr, sigla, alias) in [
            (1, 0, "STF", None),
            (2, 0, "CNJ", None),
            (3, 0, "STJ", Some("stj")),
            (4, 6, "TRF6", Some("trf6")),
            (4, 90, "CJF", None),
            (5, 0, "TST", Some("tst")),
            (5, 15, "TRT-15", Some("trt15")),
            (5, 90, "CSJT", None),
            (6, 7, "TRE-DF", Some("tre-df")),
            (6, 16, "TRE-PR", Some("tre-pr")),
            (7, 1, "1-CJM", None),
            (8, 7, "TJDF", Some("tjdft")),
            (8, 10, "TJMA", Some("tjma")),
            (8, 13, "TJMG", Some("tjmg")),
            (8, 18, "TJPI", Some("tjpi")),
            (8, 26, "TJSP", Some("tjsp")),
            (9, 13, "TJME-MG", Some("tjmmg")),
            (9, 21, "TJME-RS", Some("tjmrs")),
            (9, 26, "TJME-SP", Some("tjmsp")),
            (9, 1, "TJAC", None),
        ] {
            let found = court(j, tr).unwrap();
            assert_eq!((found.sigla, found.datajud), (sigla, alias), "{j}.{tr}");
        }
    }

    #[test]
    fn no_court() {
        for (j, tr) in [
            (0, 0),
            (0, 1),
            (1, 1),
            (2, 23),
            (3, 1),
            (4, 0),
            (4, 7),
            (5, 25),
            (5, 56),
            (6, 28),
            (7, 13),
            (8, 0),
            (8, 28),
            (9, 99),
            (10, 1),
        ] {
            assert_eq!(court(j, tr), None, "{j}.{tr}");
        }
    }
}
