//! In which instance of the courts something happened: both vendors write it, each in its own ways.

use super::fold::fold_prefix;

/// An instance of the judiciary, as far as phases need to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Degree {
    /// Where cases usually begin and are tried.
    First,
    /// Where appeals are heard: second degree, appeal panels of the small-claims courts, superior courts.
    Appeal,
}

impl Degree {
    /// Reads Escavador's `grau_formatado` ("Segundo Grau") or `grau` ("2"), and DataJud's `grau` ("G2", "JE", "TR", "TRU", "SUP").
    /// `None` when absent or not understood.
    #[must_use]
    pub fn parse(grau: Option<&str>) -> Option<Self> {
        // The longest known form has about 20 characters.
        let folded = fold_prefix(grau?, 40);
        let first = folded.split(|character: char| !character.is_alphanumeric()).find(|word| !word.is_empty())?;
        match first {
            "1" | "1o" | "1a" | "g1" | "primeiro" | "primeira" | "je" | "juizado" => Some(Self::First),
            "2" | "2o" | "2a" | "g2" | "segundo" | "segunda" | "tr" | "tru" | "turma" | "turmas" | "3" | "3o"
            | "g3" | "terceiro" | "terceira" | "sup" | "superior" | "tribunal" | "tribunais" => Some(Self::Appeal),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_vendors_spellings() {
        for first in ["1", "Primeiro Grau", "1º grau", "PRIMEIRO_GRAU", "G1", "JE", " juizado especial"] {
            assert_eq!(Degree::parse(Some(first)), Some(Degree::First), "{first}");
        }
        for appeal in
            ["2", "Segundo Grau", "2ª instância", "G2", "TR", "Turma Recursal", "TRU", "SUP", "Tribunal Superior", "3"]
        {
            assert_eq!(Degree::parse(Some(appeal)), Some(Degree::Appeal), "{appeal}");
        }
        for unknown in [None, Some(""), Some("--"), Some("0"), Some("DESCONHECIDO")] {
            assert_eq!(Degree::parse(unknown), None, "{unknown:?}");
        }
    }
}
