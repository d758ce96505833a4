use proptest::prelude::*;

use super::*;

const VALID: &[&str] = &[
    "5046512-94.2016.4.04.7000",
    "5021365-32.2017.4.04.7000",
    "5063130-17.2016.4.04.7000",
    "0600814-85.2022.6.00.0000",
    "0601771-28.2018.6.00.0000",
    "0601407-70.2022.6.16.0000",
    "7000600-15.2019.7.01.0001",
    "0000832-35.2018.4.01.3202",
    "0722391-40.2017.8.07.0001",
    "0007303-97.2013.8.07.0015",
    "1053565-57.2024.8.26.0053",
    "0018063-19.2013.8.26.0002",
    "1002089-72.2023.8.26.0260",
    "1157146-44.2024.8.26.0100",
    "0011699-83.2017.5.15.0087",
    "0010599-76.2021.5.03.0026",
    "1000324-67.2023.5.02.0007",
    "0008649-70.2021.8.12.0110",
    "0800493-92.2024.8.14.0112",
    "8118778-37.2021.8.05.0001",
    "0001898-07.2023.4.05.8103",
    "0802517-35.2019.8.23.0010",
    "0003495-35.2017.8.27.2716",
    "0000001-39.2024.8.26.0100",
    "1234567-13.2024.8.26.0100",
    "0001234-95.2024.5.02.0001",
    "0000001-56.2024.4.03.6100",
    "0000001-13.2024.6.26.0001",
    "0000001-88.2024.3.00.0000",
    "0000001-55.2024.7.00.0000",
    "0000001-61.2024.9.26.0001",
    "0000001-73.2024.8.07.0001",
    "0000001-56.2024.1.00.0000",
    "0000094-02.2024.8.26.0100",
    "0000081-03.2024.8.26.0100",
    "0000003-09.2024.8.26.0100",
    "0000087-10.2024.8.26.0100",
    "0000023-97.2024.8.26.0100",
    "0000010-98.2024.8.26.0100",
];

#[test]
fn valid_numbers_pass_in_both_forms() {
    for number in VALID {
        let masked = Cnj::parse(number).unwrap_or_else(|error| panic!("{number}: {error}"));
        let bare: String = number.chars().filter(char::is_ascii_digit).collect();
        assert_eq!(Cnj::parse(&bare), Ok(masked), "{number}");
        assert_eq!(masked.masked(), *number);
        assert_eq!(masked.digits(), bare);
        assert_eq!(masked.bytes().as_slice(), bare.as_bytes());
    }
}

#[test]
fn wrong_check_digits_are_told_with_the_right_ones() {
    for (number, right) in [
        ("0000001-00.2024.6.14.0000", 49),
        ("1234567-89.2024.8.26.0100", 13),
        ("0001234-56.2023.8.26.0100", 8),
        ("0000001-02.2024.8.17.0001", 94),
        ("2171513-81.2024.8.26.0000", 65),
        ("8690473-18.2023.4.01.4200", 80),
        ("1024000-20.2015.2.23.0000", 13),
        ("1060225-21.2023.5.56.0002", 75),
        ("0002150-26.2023.8.26.0024", 76),
        ("0000094-99.2024.8.26.0100", 2),
        ("0000010-01.2024.8.26.0100", 98),
    ] {
        let Err(error @ CnjError::CheckDigits { right: told, .. }) = Cnj::parse(number) else {
            panic!("{number}: {:?}", Cnj::parse(number));
        };
        assert_eq!(told, right, "{number}");
        assert!(error.detail_pt().contains(&format!("o correto é {right:02}, e não ")), "{error:?}");
    }
}

#[test]
fn each_mistake_has_its_own_reason() {
    let long = "1".repeat(10_000);
    let blanks = " ".repeat(10_000);
    for (text, reason) in [
        ("0000000-00.0000.0.00.0000", "segment"),
        ("0000000-98.0000.0.00.0000", "segment"),
        ("9999999-28.9999.9.99.9999", "court"),
        ("", "length"),
        ("   ", "length"),
        ("5046512-94.2016.4.04.700", "length"),
        ("5046512942016404700", "length"),
        ("504651294201640470000", "length"),
        ("5046512.94-2016.4.04.7000", "punctuation"),
        ("5046512-94.2016.404.7000", "punctuation"),
        ("-50465129420164047000", "punctuation"),
        ("5046512-94.2016.4.O4.7000", "foreign-character"),
        ("5046512-94 2016.4.04.7000", "foreign-character"),
        ("5046512–94.2016.4.04.7000", "foreign-character"),
        ("５046512-94.2016.4.04.7000", "foreign-character"),
        ("' OR 1=1; DROP TABLE process_movements --", "foreign-character"),
        (long.as_str(), "too-long"),
        (blanks.as_str(), "too-long"),
    ] {
        let error = Cnj::parse(text).unwrap_err();
        assert_eq!(error.reason(), reason, "{text:.40}: {error}");
        assert!(error.detail_pt().ends_with('.') && error.detail_pt().chars().count() < 200, "{}", error.detail_pt());
    }
}

#[test]
fn an_impossible_year_is_refused() {
    let mut digits = *b"00000010018998260100";
    let check = check_digits(&digits);
    for (slot, digit) in digits.iter_mut().skip(7).zip(format!("{check:02}").bytes()) {
        *slot = digit;
    }
    let text = std::str::from_utf8(&digits).unwrap();
    assert_eq!(Cnj::parse(text), Err(CnjError::Year { given: 1899 }));
}

#[test]
fn nothing_of_the_text_is_echoed_but_one_character() {
    let error = Cnj::parse("Fulano de Tal, CPF 000.000.000-00").unwrap_err();
    assert!(!format!("{error} {error:?} {}", error.detail_pt()).contains("ulano"));
    let bell = Cnj::parse("5046512-94.2016.4.04.700\u{7}").unwrap_err();
    assert!(!bell.detail_pt().contains('\u{7}'));
}

#[test]
fn blanks_around_are_ignored_and_fields_are_read() {
    let number = Cnj::parse(" \t5046512-94.2016.4.04.7000\r\n").unwrap();
    assert_eq!((number.year(), number.segment(), number.court().sigla), (2016, Segment::Federal, "TRF4"));
    assert_eq!(format!("{number:>27}|{number:?}"), "  5046512-94.2016.4.04.7000|5046512-94.2016.4.04.7000");
}

#[test]
fn serde_writes_the_mask_and_reads_both_forms() {
    let number = Cnj::parse("0000001-39.2024.8.26.0100").unwrap();
    assert_eq!(serde_json::to_string(&number).unwrap(), "\"0000001-39.2024.8.26.0100\"");
    assert_eq!(serde_json::from_str::<Cnj>("\"00000013920248260100\"").unwrap(), number);
    assert!(serde_json::from_str::<Cnj>("\"0000001-38.2024.8.26.0100\"").is_err());
    assert!(serde_json::from_str::<Cnj>("13920248260100").is_err());
}

#[test]
fn every_single_digit_change_and_every_adjacent_swap_is_detected() {
    let digits = *b"50465129420164047000";
    let parse = |digits: &[u8]| Cnj::parse(std::str::from_utf8(digits).unwrap());
    assert!(parse(&digits).is_ok());
    let mut tried = 0;
    for position in 0..digits.len() {
        for digit in b'0'..=b'9' {
            let mut changed = digits;
            changed[position] = digit;
            if changed != digits {
                tried += 1;
                assert!(parse(&changed).is_err(), "{position} {digit}");
            }
        }
        let mut swapped = digits;
        if position + 1 < digits.len() {
            swapped.swap(position, position + 1);
        }
        assert!(swapped == digits || parse(&swapped).is_err(), "swap at {position}");
    }
    assert_eq!(tried, 180);
}

proptest! {
    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        if let Err(error) = Cnj::parse(&text) {
            prop_assert!(!error.detail_pt().is_empty() && !error.to_string().is_empty());
        }
    }

    #[test]
    fn almost_numbers_are_answered(text in "[0-9.\\-]{15,30}") {
        if let Ok(number) = Cnj::parse(&text) {
            prop_assert!(text == number.masked() || text == number.digits());
        }
    }

    #[test]
    fn both_forms_come_back(sequence in 0_u32..=9_999_999, year in 1900_u16..=2100, tr in 1_u8..=27, origin in 0_u16..=9999) {
        let mut digits: [u8; DIGITS] = format!("{sequence:07}00{year:04}8{tr:02}{origin:04}").as_bytes().try_into().unwrap();
        let check = check_digits(&digits);
        prop_assert!((2..=98).contains(&check));
        digits[7..9].copy_from_slice(format!("{check:02}").as_bytes());
        let number = Cnj::parse(std::str::from_utf8(&digits).unwrap()).unwrap();
        prop_assert_eq!(number.year(), year);
        prop_assert_eq!(Cnj::parse(&number.masked()), Ok(number));
        prop_assert_eq!(Cnj::parse(number.digits()), Ok(number));
    }
}
