//! Which index holds a number: one for each court that the service has.

use super::super::court::Court;
use super::super::number::Number;

/// The suffix of the index that holds a number; `None` where the service has none for its court.
///
/// Old numbers of the first federal region from Minas Gerais (units 38xx) have moved to the sixth, as they did.
pub(super) fn of(number: &Number) -> Option<String> {
    let sigla = Court::of(number)?.sigla;
    let suffix = match sigla.as_str() {
        "STF" | "CNJ" => return None,
        "TJDF" => "tjdft".to_owned(),
        "TRF1" if (3_800..3_900).contains(&number.unit()) => "trf6".to_owned(),
        // The measured name of the electoral courts has a hyphen; that of the labour courts none.
        _ => match sigla.split_once('-') {
            Some(("TRE", state)) => format!("tre-{}", state.to_lowercase()),
            Some(("TJME", state)) => format!("tjm{}", state.to_lowercase()),
            Some((court, region)) => format!("{}{region}", court.to_lowercase()),
            None => sigla.to_lowercase(),
        },
    };
    Some(suffix)
}

/// Whether there is an index of that suffix. There is none called `tre-dft`, although the wiki lists it.
pub(super) fn exists(suffix: &str) -> bool {
    let numbers =
        (3..=9).flat_map(|segment| (0..=27).map(move |region| format!("0000001002024{segment}{region:02}0001")));
    let of_court = |digits: String| Number::parse(&digits).as_ref().and_then(of);
    numbers.filter_map(of_court).any(|held| held == suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(number: &str) -> Option<String> {
        of(&Number::parse(number).unwrap())
    }

    #[test]
    fn courts_have_the_services_names() {
        for (number, suffix) in [
            ("0000001-39.2024.8.26.0100", "tjsp"),
            ("0000001-73.2024.8.07.0001", "tjdft"),
            ("0001234-95.2024.5.02.0001", "trt2"),
            ("0000001-13.2024.6.26.0001", "tre-sp"),
            ("0000001-88.2024.3.00.0000", "stj"),
            ("0000001-61.2024.9.26.0001", "tjmsp"),
            ("0000832-35.2018.4.01.3202", "trf1"),
            ("0000001-00.2018.4.01.3800", "trf6"),
        ] {
            assert_eq!(index(number).as_deref(), Some(suffix), "{number}");
            assert!(exists(suffix), "{suffix}");
        }
        assert_eq!(index("0000001-56.2024.1.00.0000"), None);
        for nowhere in ["", "*", "tre-dft", "tjxx", "stf", "tjdf"] {
            assert!(!exists(nowhere), "{nowhere}");
        }
    }
}
