//! The number of a court case: Resolução CNJ 65/2008, check digits by ISO 7064 mod 97-10.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use super::court::{Court, Segment, court};

const MASK: &[u8; 25] = b"NNNNNNN-DD.AAAA.J.TR.OOOO";
const DIGITS: usize = 20;
/// The number with some blanks around it; whatever is longer is refused unread.
const LONGEST_INPUT: usize = 256;
const YEARS: std::ops::RangeInclusive<u16> = 1900..=2100;

/// A well-formed number of a case in an existing court, its check digits verified.
///
/// Ordered, compared and hashed by its 20 digits. `Display`, `Debug` and serde write `NNNNNNN-DD.AAAA.J.TR.OOOO`. Only for what a
/// user gives: vendors' answers are known to hold numbers whose check digits are wrong, and those must not be refused.
#[derive(Clone, Copy)]
pub struct Cnj {
    digits: [u8; DIGITS],
    court: &'static Court,
}

impl Cnj {
    /// Reads `NNNNNNN-DD.AAAA.J.TR.OOOO` or 20 bare digits, ASCII blanks around them ignored.
    ///
    /// # Errors
    /// The first thing that is wrong, in this order: shape, segment `J`, check digits, court `J.TR`, year. The segment comes before
    /// the check digits because `J` = 0 is a placeholder that no right check digit can save; the court comes after them because a
    /// mistyped court shows in them first.
    pub fn parse(text: &str) -> Result<Self, CnjError> {
        if text.len() > LONGEST_INPUT {
            return Err(CnjError::TooLong { bytes: text.len() });
        }
        let text = text.trim_ascii();
        let digits = scan(text).ok_or_else(|| why_not(text))?;
        let Fields { check, year, segment, tr } = fields(&digits);
        if Segment::of(segment).is_none() {
            return Err(CnjError::Segment { given: segment });
        }
        let right = check_digits(&digits);
        if check != right {
            return Err(CnjError::CheckDigits { right, given: check });
        }
        let court = court(segment, tr).ok_or(CnjError::Court { segment, tr })?;
        if !YEARS.contains(&year) {
            return Err(CnjError::Year { given: year });
        }
        Ok(Self { digits, court })
    }

    /// The 20 digits, as DataJud and keys want them.
    #[must_use]
    pub fn digits(&self) -> &str {
        // Only ASCII digits ever get in.
        std::str::from_utf8(&self.digits).unwrap_or_default()
    }

    /// `NNNNNNN-DD.AAAA.J.TR.OOOO`, as answers and Escavador want it.
    #[must_use]
    pub fn masked(&self) -> String {
        self.to_string()
    }

    /// The 20 digits as ASCII bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; DIGITS] {
        &self.digits
    }

    /// The court the number names.
    #[must_use]
    pub const fn court(&self) -> &'static Court {
        self.court
    }

    /// The branch of the judiciary the number names.
    #[must_use]
    pub const fn segment(&self) -> Segment {
        self.court.segment
    }

    /// The year the case was filed.
    #[must_use]
    pub fn year(&self) -> u16 {
        fields(&self.digits).year
    }

    fn with_mask<T>(&self, write: impl FnOnce(&str) -> T) -> T {
        let mut masked = *MASK;
        let slots = masked.iter_mut().filter(|slot| slot.is_ascii_alphabetic());
        for (slot, digit) in slots.zip(self.digits) {
            *slot = digit;
        }
        write(std::str::from_utf8(&masked).unwrap_or_default())
    }
}

struct Fields {
    check: u16,
    year: u16,
    segment: u8,
    tr: u8,
}

fn fields(digits: &[u8; DIGITS]) -> Fields {
    let digits = digits.map(|digit| digit.wrapping_sub(b'0'));
    let [_, _, _, _, _, _, _, d1, d2, a1, a2, a3, a4, segment, t1, t2, ..] = digits;
    let number = |digits: &[u8]| digits.iter().fold(0_u16, |number, &digit| number * 10 + u16::from(digit));
    Fields { check: number(&[d1, d2]), year: number(&[a1, a2, a3, a4]), segment, tr: t1 * 10 + t2 }
}

fn scan(text: &str) -> Option<[u8; DIGITS]> {
    let masked = text.len() == MASK.len();
    if !masked && text.len() != DIGITS {
        return None;
    }
    let mut digits = [b'0'; DIGITS];
    let mut slots = digits.iter_mut();
    for (position, byte) in text.bytes().enumerate() {
        match MASK.get(position).filter(|mark| masked && mark.is_ascii_punctuation()) {
            Some(&mark) if byte == mark => {}
            Some(_) => return None,
            None => *slots.next().filter(|_| byte.is_ascii_digit())? = byte,
        }
    }
    Some(digits)
}

fn why_not(text: &str) -> CnjError {
    let stranger = text.chars().enumerate().find(|(_, found)| !matches!(found, '0'..='9' | '-' | '.'));
    if let Some((index, found)) = stranger {
        return CnjError::ForeignCharacter { found, position: index + 1 };
    }
    match text.bytes().filter(u8::is_ascii_digit).count() {
        DIGITS => CnjError::Punctuation,
        digits => CnjError::Length { digits },
    }
}

// The rule is applied forwards and compared. The shorter test, "the whole number mod 97 is 1", also accepts 99 where 02 is
// right and 01 where 98 is.
fn check_digits(digits: &[u8; DIGITS]) -> u16 {
    let without_check =
        digits.iter().enumerate().filter(|(position, _)| !matches!(position, 7 | 8)).map(|(_, digit)| *digit);
    let remainder =
        without_check.chain(*b"00").fold(0, |rest, digit| (rest * 10 + u16::from(digit.wrapping_sub(b'0'))) % 97);
    98 - remainder
}

impl PartialEq for Cnj {
    fn eq(&self, other: &Self) -> bool {
        self.digits == other.digits
    }
}

impl Eq for Cnj {}

impl Hash for Cnj {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digits.hash(state);
    }
}

impl PartialOrd for Cnj {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cnj {
    fn cmp(&self, other: &Self) -> Ordering {
        self.digits.cmp(&other.digits)
    }
}

impl fmt::Display for Cnj {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_mask(|masked| f.pad(masked))
    }
}

impl fmt::Debug for Cnj {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Cnj {
    type Err = CnjError;

    fn from_str(text: &str) -> Result<Self, CnjError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for Cnj {
    type Error = CnjError;

    fn try_from(text: &str) -> Result<Self, CnjError> {
        Self::parse(text)
    }
}

impl Serialize for Cnj {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_mask(|masked| serializer.serialize_str(masked))
    }
}

impl<'de> Deserialize<'de> for Cnj {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = Cnj;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a CNJ case number")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Cnj, E> {
                Cnj::parse(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Written)
    }
}

/// Why a text is not the number of a case. Nothing of the text is kept but, at most, one character: people paste names and document
/// numbers by mistake, and those must reach neither log nor answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CnjError {
    /// Longer than any number with blanks around it; it was not read.
    #[error("a case number has 20 digits, found a text of {bytes} bytes")]
    TooLong {
        /// Length of the text, in bytes.
        bytes: usize,
    },
    /// A letter, a blank inside, or any other character that no case number holds.
    #[error("a case number holds digits, '-' and '.' only, found another character at position {position}")]
    ForeignCharacter {
        /// The first such character.
        found: char,
        /// Where it stands, in characters, from 1, blanks before the number not counted.
        position: usize,
    },
    /// Not 20 digits.
    #[error("a case number has 20 digits, found {digits}")]
    Length {
        /// How many digits there are.
        digits: usize,
    },
    /// 20 digits with dots and hyphen in the wrong places.
    #[error("dots or hyphen are not where NNNNNNN-DD.AAAA.J.TR.OOOO has them")]
    Punctuation,
    /// `J` names no branch of the judiciary.
    #[error("segment {given} does not exist")]
    Segment {
        /// The digit `J`.
        given: u8,
    },
    /// The check digits do not belong to the other digits.
    #[error("check digits are {given:02}, but {right:02} is right")]
    CheckDigits {
        /// The right ones, 2 to 98.
        right: u16,
        /// Those given, 0 to 99.
        given: u16,
    },
    /// The branch exists, the court in it does not.
    #[error("there is no court {segment}.{tr:02}")]
    Court {
        /// The digit `J`.
        segment: u8,
        /// The field `TR`.
        tr: u8,
    },
    /// A year in which no case can have been filed.
    #[error("year {given} is impossible")]
    Year {
        /// The field `AAAA`.
        given: u16,
    },
}

impl CnjError {
    /// A slug for metrics and logs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too-long",
            Self::ForeignCharacter { .. } => "foreign-character",
            Self::Length { .. } => "length",
            Self::Punctuation => "punctuation",
            Self::Segment { .. } => "segment",
            Self::CheckDigits { .. } => "check-digits",
            Self::Court { .. } => "court",
            Self::Year { .. } => "year",
        }
    }

    /// What is wrong and what to do, for the end user, in Portuguese.
    #[must_use]
    pub fn detail_pt(&self) -> String {
        const FORM: &str = "NNNNNNN-DD.AAAA.J.TR.OOOO";
        match self {
            Self::TooLong { bytes } => {
                format!(
                    "O texto informado tem {bytes} bytes, longo demais para um número de processo. Informe só o número: {FORM}."
                )
            }
            Self::ForeignCharacter { found: '\u{2010}'..='\u{2015}' | '\u{2212}', .. } => {
                format!("O número traz um travessão no lugar do hífen. Use o hífen comum: {FORM}.")
            }
            Self::ForeignCharacter { found, position } if found.is_whitespace() => {
                format!(
                    "Há um espaço dentro do número, na posição {position}. Informe-o sem espaços: {FORM} ou só os 20 algarismos."
                )
            }
            Self::ForeignCharacter { found, position } => {
                let shown = if found.is_alphanumeric() || found.is_ascii_graphic() {
                    *found
                } else {
                    char::REPLACEMENT_CHARACTER
                };
                format!(
                    "O caractere “{shown}”, na posição {position}, não faz parte de um número de processo. \
                     Informe {FORM} ou só os 20 algarismos."
                )
            }
            Self::Length { digits } => {
                format!(
                    "O número do processo tem 20 algarismos, e foram encontrados {digits}. Informe {FORM} ou só os 20 algarismos."
                )
            }
            Self::Punctuation => {
                format!("Os 20 algarismos estão presentes, mas a pontuação não. Informe {FORM} ou só os 20 algarismos.")
            }
            Self::Segment { given } => format!(
                "O segmento do Judiciário {given} não existe: o algarismo J de {FORM} vai de 1 a 9. \
                 Confira se o número não é apenas um exemplo."
            ),
            Self::CheckDigits { right, given } => format!(
                "O dígito verificador não confere: para este número o correto é {right:02}, e não {given:02}. \
                 Confira se algum algarismo foi trocado."
            ),
            Self::Court { segment, tr } => {
                let name = Segment::of(*segment).map_or("", Segment::name_pt);
                format!("Não existe o tribunal {segment}.{tr:02} ({name}). Confira os campos J e TR de {FORM}.")
            }
            Self::Year { given } => format!(
                "O ano {given:04} não é possível para um processo: espera-se de {} a {}. Confira o campo AAAA de {FORM}.",
                YEARS.start(),
                YEARS.end()
            ),
        }
    }
}

#[cfg(test)]
#[path = "cnj_tests.rs"]
mod tests;
