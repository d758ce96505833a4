//! Courts by J.TR, with the vendor's siglas (TJDF, TRT-2, TRE-PA) and the system each court is served from.

use super::number::Number;

/// (TR, sigla, name with its preposition) of the federation's units, in the order of the CNJ table.
const STATES: &[(i32, &str, &str, &str)] = &[
    (1, "AC", "Acre", "do"),
    (2, "AL", "Alagoas", "de"),
    (3, "AP", "Amapá", "do"),
    (4, "AM", "Amazonas", "do"),
    (5, "BA", "Bahia", "da"),
    (6, "CE", "Ceará", "do"),
    (7, "DF", "Distrito Federal", "do"),
    (8, "ES", "Espírito Santo", "do"),
    (9, "GO", "Goiás", "de"),
    (10, "MA", "Maranhão", "do"),
    (11, "MT", "Mato Grosso", "de"),
    (12, "MS", "Mato Grosso do Sul", "de"),
    (13, "MG", "Minas Gerais", "de"),
    (14, "PA", "Pará", "do"),
    (15, "PB", "Paraíba", "da"),
    (16, "PR", "Paraná", "do"),
    (17, "PE", "Pernambuco", "de"),
    (18, "PI", "Piauí", "do"),
    (19, "RJ", "Rio de Janeiro", "do"),
    (20, "RN", "Rio Grande do Norte", "do"),
    (21, "RS", "Rio Grande do Sul", "do"),
    (22, "RO", "Rondônia", "de"),
    (23, "RR", "Roraima", "de"),
    (24, "SC", "Santa Catarina", "de"),
    (25, "SE", "Sergipe", "de"),
    (26, "SP", "São Paulo", "de"),
    (27, "TO", "Tocantins", "do"),
];

const LABOUR_SEATS: &[&str] = &[
    "RJ", "SP", "MG", "RS", "BA", "PE", "CE", "PA", "PR", "DF", "AM", "SC", "PB", "RO", "SP", "MA", "ES", "GO", "AL",
    "SE", "RN", "PI", "MT", "MS",
];

const FEDERAL_SEATS: &[&str] = &["DF", "RJ", "SP", "RS", "PE", "MG"];

/// Which vocabulary a process speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch {
    /// State courts and everything without a vocabulary of its own.
    Civil,
    /// Regional labour courts and TST.
    Labour,
    /// Regional federal courts.
    Federal,
}

/// The court of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Court {
    pub(super) id: i32,
    pub(super) sigla: String,
    pub(super) name: String,
    pub(super) state: (&'static str, &'static str),
    pub(super) system: &'static str,
    pub(super) branch: Branch,
    /// Superior courts have no degree below them to come from.
    pub(super) superior: bool,
}

impl Court {
    /// The court of J.TR, or `None` where there is no such court.
    pub(super) fn of(number: &Number) -> Option<Self> {
        let (segment, region) = (number.segment(), number.region());
        let superior = |sigla: &str, name: &str, branch| {
            (region == 0).then(|| Self {
                id: segment,
                sigla: sigla.to_owned(),
                name: name.to_owned(),
                state: ("DF", "Distrito Federal"),
                system: "PJE",
                branch,
                superior: true,
            })
        };
        match segment {
            1 => superior("STF", "Supremo Tribunal Federal", Branch::Civil),
            2 => superior("CNJ", "Conselho Nacional de Justiça", Branch::Civil),
            3 => superior("STJ", "Superior Tribunal de Justiça", Branch::Civil),
            4 => Self::regional(region, 200, FEDERAL_SEATS, Branch::Federal),
            5 if region == 0 => superior("TST", "Tribunal Superior do Trabalho", Branch::Labour),
            5 => Self::regional(region, 300, LABOUR_SEATS, Branch::Labour),
            6 if region == 0 => superior("TSE", "Tribunal Superior Eleitoral", Branch::Civil),
            6 => Self::of_state(region, 400, "TRE-", "Tribunal Regional Eleitoral", "PJE"),
            7 if region == 0 => superior("STM", "Superior Tribunal Militar", Branch::Civil),
            8 => Self::of_state(region, 76, "TJ", "Tribunal de Justiça", state_system(region)),
            9 if [13, 21, 26].contains(&region) => {
                Self::of_state(region, 500, "TJME-", "Tribunal de Justiça Militar", "EPROC")
            }
            _ => None,
        }
    }

    fn of_state(region: i32, base: i32, prefix: &str, title: &str, system: &'static str) -> Option<Self> {
        let (_, uf, name, preposition) = STATES.iter().find(|(code, ..)| *code == region)?;
        Some(Self {
            id: base + region,
            sigla: format!("{prefix}{uf}"),
            name: format!("{title} {preposition} {name}"),
            state: (uf, name),
            system,
            branch: Branch::Civil,
            superior: false,
        })
    }

    fn regional(region: i32, base: i32, seats: &[&str], branch: Branch) -> Option<Self> {
        let seat = seats.get(usize::try_from(region.checked_sub(1)?).ok()?)?;
        let (_, uf, state, _) = STATES.iter().find(|(_, uf, ..)| uf == seat)?;
        let (sigla, title) = match branch {
            Branch::Labour => (format!("TRT-{region}"), "Tribunal Regional do Trabalho"),
            _ => (format!("TRF{region}"), "Tribunal Regional Federal"),
        };
        Some(Self {
            id: base + region,
            sigla,
            name: format!("{title} da {region}ª Região"),
            state: (uf, state),
            system: if branch == Branch::Federal && region == 4 { "EPROC" } else { "PJE" },
            branch,
            superior: false,
        })
    }
}

fn state_system(region: i32) -> &'static str {
    match region {
        1 | 2 | 4 | 6 | 12 | 26 => "ESAJ",
        16 => "PROJUDI",
        21 | 24 | 27 => "EPROC",
        _ => "PJE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn court(number: &str) -> Option<Court> {
        Court::of(&Number::parse(number).unwrap())
    }

    #[test]
    fn courts_carry_the_vendors_siglas() {
        for (number, sigla, name) in [
            ("0000001-39.2024.8.26.0100", "TJSP", "Tribunal de Justiça de São Paulo"),
            ("0000001-73.2024.8.07.0001", "TJDF", "Tribunal de Justiça do Distrito Federal"),
            ("0001234-95.2024.5.02.0001", "TRT-2", "Tribunal Regional do Trabalho da 2ª Região"),
            ("0000001-56.2024.4.03.6100", "TRF3", "Tribunal Regional Federal da 3ª Região"),
            ("0000001-13.2024.6.26.0001", "TRE-SP", "Tribunal Regional Eleitoral de São Paulo"),
            ("0000001-88.2024.3.00.0000", "STJ", "Superior Tribunal de Justiça"),
        ] {
            let found = court(number).unwrap();
            assert_eq!((found.sigla.as_str(), found.name.as_str()), (sigla, name));
        }
    }

    #[test]
    fn there_is_no_court_outside_the_table() {
        for number in ["9999999-28.9999.9.99.9999", "0000000-98.0000.0.00.0000", "1060225-21.2023.5.56.0002"] {
            assert_eq!(court(number), None, "{number}");
        }
    }
}
