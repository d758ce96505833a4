//! CNJ numbers as the vendor takes them (20 digits or the mask, check digits ignored) and invented numbers for demos.

use super::dice::Dice;

/// A well-formed number. Whether its check digits are right is a separate question: the vendor may not ask it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Number {
    digits: String,
}

impl Number {
    /// Reads 20 digits or `NNNNNNN-DD.AAAA.J.TR.OOOO`; anything else is `None`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits: String = if text.len() == 25 {
            let masked = text.bytes().enumerate().all(|(at, byte)| match at {
                7 => byte == b'-',
                10 | 15 | 17 | 20 => byte == b'.',
                _ => byte.is_ascii_digit(),
            });
            if !masked {
                return None;
            }
            text.chars().filter(char::is_ascii_digit).collect()
        } else {
            text.to_owned()
        };
        (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(Self { digits })
    }

    /// The 20 digits.
    pub(super) fn digits(&self) -> &str {
        &self.digits
    }

    /// `NNNNNNN-DD.AAAA.J.TR.OOOO`.
    pub(super) fn masked(&self) -> String {
        mask(&self.digits)
    }

    /// Whether DD is what the rest of the number demands (ISO 7064, `98 - n mod 97`).
    pub(super) fn has_right_check_digits(&self) -> bool {
        let part = |from, to| self.digits.get(from..to).unwrap_or_default();
        part(7, 9) == format!("{:02}", check_digits(part(0, 7), part(9, 20)))
    }

    /// The seven digits before the hyphen.
    pub(super) fn sequential(&self) -> &str {
        self.digits.get(0..7).unwrap_or_default()
    }

    /// AAAA.
    pub(super) fn year(&self) -> i32 {
        self.numeric(9, 13)
    }

    /// J.
    pub(super) fn segment(&self) -> i32 {
        self.numeric(13, 14)
    }

    /// TR.
    pub(super) fn region(&self) -> i32 {
        self.numeric(14, 16)
    }

    /// OOOO.
    pub(super) fn unit(&self) -> i32 {
        self.numeric(16, 20)
    }

    fn numeric(&self, from: usize, to: usize) -> i32 {
        self.digits.get(from..to).and_then(|part| part.parse().ok()).unwrap_or(0)
    }
}

fn mask(digits: &str) -> String {
    let part = |from, to| digits.get(from..to).unwrap_or_default();
    format!("{}-{}.{}.{}.{}.{}", part(0, 7), part(7, 9), part(9, 13), part(13, 14), part(14, 16), part(16, 20))
}

fn check_digits(sequential: &str, tail: &str) -> u32 {
    let remainder = sequential
        .chars()
        .chain(tail.chars())
        .chain("00".chars())
        .filter_map(|digit| digit.to_digit(10))
        .fold(0, |remainder, digit| (remainder * 10 + digit) % 97);
    98 - remainder
}

/// (J, TR, units of origin): the spread of a demo.
const DEMO_COURTS: &[(u8, u8, &[u16])] = &[
    (8, 26, &[100, 53, 2, 114, 224, 554, 576]),
    (8, 19, &[1, 2, 209, 38]),
    (5, 2, &[1, 5, 34, 88, 311]),
    (4, 3, &[6100, 6183, 6301, 6105]),
    (8, 13, &[24, 145, 702, 79]),
    (8, 21, &[1, 8, 10, 27]),
    (5, 15, &[16, 53, 87, 129]),
    (4, 4, &[7000, 7100, 7200]),
    (8, 16, &[1, 14, 19]),
    (8, 5, &[1, 80]),
    (5, 1, &[1, 24, 70]),
    (8, 7, &[1, 15, 18]),
    (4, 1, &[3400, 3800, 3200]),
    (8, 6, &[1, 64]),
];

/// `count` distinct, masked numbers with right check digits, spread over real courts, the same for the same `seed`.
///
/// They are invented: their sequential part lies in 9000000..9899999, a range that courts do not reach in practice, and
/// outside the prefixes the sandbox treats specially (see [`super::Known`]). More than 900 000 cannot be distinct; the
/// list ends there.
#[must_use]
pub fn demo_numbers(count: usize, seed: u64) -> Vec<String> {
    const RANGE: u32 = 900_000;
    // Coprime with RANGE: the walk visits every value once before it repeats one.
    const STRIDE: u32 = 618_047;
    let mut dice = Dice::new(seed, "demo numbers");
    let mut offset = dice.between(0, RANGE - 1);
    (0..count.min(usize::try_from(RANGE).unwrap_or(0)))
        .zip(DEMO_COURTS.iter().cycle())
        .map(|(_, (segment, region, units))| {
            offset = (offset + STRIDE) % RANGE;
            let unit = dice.pick(units).copied().unwrap_or(1);
            let sequential = format!("{:07}", 9_000_000 + offset);
            let tail = format!("{}{segment}{region:02}{unit:04}", dice.between(2016, 2025));
            mask(&format!("{sequential}{:02}{tail}", check_digits(&sequential, &tail)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn check_digits_follow_the_resolution() {
        for right in ["0000832-35.2018.4.01.3202", "5046512-94.2016.4.04.7000", "0000094-02.2024.8.26.0100"] {
            assert!(Number::parse(right).unwrap().has_right_check_digits(), "{right}");
        }
        for wrong in ["0000000-00.0000.0.00.0000", "0000094-99.2024.8.26.0100", "1234567-89.2024.8.26.0100"] {
            assert!(!Number::parse(wrong).unwrap().has_right_check_digits(), "{wrong}");
        }
    }

    #[test]
    fn both_written_forms_are_one_number_and_nothing_else_is() {
        let masked = Number::parse("0000832-35.2018.4.01.3202").unwrap();
        assert_eq!(Number::parse("00008323520184013202"), Some(masked.clone()));
        assert_eq!(masked.masked(), "0000832-35.2018.4.01.3202");
        for junk in
            ["", "0000832352018401320", "0000832.35.2018.4.01.3202", "0000832-35.2018.4.01.320a", "çççççççççççç1"]
        {
            assert_eq!(Number::parse(junk), None, "{junk}");
        }
    }

    #[test]
    fn demo_numbers_are_valid_distinct_spread_and_stable() {
        let numbers = demo_numbers(500, 42);
        assert_eq!(numbers, demo_numbers(500, 42));
        assert_ne!(numbers, demo_numbers(500, 43));
        assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), 500);
        let parsed: Vec<Number> = numbers.iter().map(|number| Number::parse(number).unwrap()).collect();
        assert!(parsed.iter().all(Number::has_right_check_digits));
        assert!(parsed.iter().map(|n| (n.segment(), n.region())).collect::<HashSet<_>>().len() >= 10);
        assert!(demo_numbers(0, 1).is_empty());
    }
}
