//! `juscache check`.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{DONE, FAILED, WRONG_USAGE, print, say};
use crate::config::datajud::DatajudUse;
use crate::config::source::Environment;
use crate::config::{Settings, budget};
use crate::fetcher::prices::{PriceList, Prices};
use crate::ledger::words::reais;
use crate::postgres_tier::ledger::messages::Caps;
use crate::postgres_tier::migrations;
use crate::redis_tier;

const PATIENCE: Duration = Duration::from_secs(5);

/// Reports every mistake at once, then says which dependencies can be reached and what may be spent. Spends nothing: of the vendors only
/// the port is tried.
pub(super) fn run(environment: &Environment) -> u8 {
    let settings = match Settings::read(environment) {
        Ok(settings) => settings,
        Err(mistakes) => {
            say(&mistakes.to_string());
            return WRONG_USAGE;
        }
    };
    for name in &settings.without_effect {
        print(&format!("{name}: set, but without effect yet"));
    }
    let findings = actix_rt::System::new().block_on(async {
        [redis(&settings).await, postgres(&settings).await, escavador(&settings).await, datajud(&settings).await]
    });
    for finding in &findings {
        match finding {
            Ok(line) | Err(line) => print(line.as_str()),
        }
    }
    print(&prices(settings.fetcher.prices));
    print(&caps(settings.caps, settings.fetcher.prices));
    print(match settings.admin_token {
        Some(_) => "admin token: set",
        None => {
            "admin token: made at every start, printed once, good on this machine only (JUSCACHE_ADMIN_TOKEN is not set)"
        }
    });
    if findings.iter().all(Result::is_ok) { DONE } else { FAILED }
}

async fn redis(settings: &Settings) -> Result<String, String> {
    let Some(redis) = &settings.redis else { return Ok("redis: off (REDIS_URL is not set)".into()) };
    redis_tier::reach(redis).await.map_err(|error| format!("redis: cannot be reached: {error}"))?;
    Ok("redis: answers".into())
}

async fn postgres(settings: &Settings) -> Result<String, String> {
    let Some(url) = &settings.database_url else {
        return match cfg!(feature = "embedded") {
            true => Ok(format!("postgresql: embedded, in {}", settings.data_dir.display())),
            false => Err("postgresql: this build has no embedded database; set DATABASE_URL".into()),
        };
    };
    match timeout(PATIENCE, migrations::pending(url)).await {
        Ok(Ok(pending)) => Ok(format!("postgresql: answers, {} migrations pending", pending.len())),
        Ok(Err(error)) => Err(format!("postgresql: {error}")),
        Err(_) => Err("postgresql: does not answer in time".into()),
    }
}

async fn escavador(settings: &Settings) -> Result<String, String> {
    if settings.fetcher.api_key.is_none() {
        return Ok("escavador: off (ESCAVADOR_API_KEY is not set); nothing can be bought".into());
    }
    let reached = reach("escavador", &settings.fetcher.base_url).await?;
    Ok(format!("{reached} (the key was not tried)"))
}

async fn datajud(settings: &Settings) -> Result<String, String> {
    let usage = settings.datajud.r#use;
    match (&settings.datajud.api_key, usage) {
        (None, _) => Ok("datajud: off (DATAJUD_API_KEY is not set)".into()),
        (Some(_), DatajudUse::Off) => Ok("datajud: off (DATAJUD_USE is off)".into()),
        (Some(_), _) => {
            let reached = reach("datajud", &settings.datajud.base_url).await?;
            Ok(format!("{reached} (the key was not tried); use: {}", usage.as_str()))
        }
    }
}

/// Whether a vendor's port takes a connection.
async fn reach(vendor: &str, base: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(base).map_err(|error| format!("{vendor}: {base}: {error}"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(443);
    match timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(format!("{vendor}: {base} can be reached")),
        Ok(Err(error)) => Err(format!("{vendor}: {base} cannot be reached: {error}")),
        Err(_) => Err(format!("{vendor}: {base} does not answer in time")),
    }
}

fn prices(prices: PriceList) -> String {
    let PriceList { cover, movements, movements_next, status, update_request, monitor_month } = prices;
    let list = [
        ("cover", cover),
        ("movements", movements),
        ("a later page of them", movements_next),
        ("status", status),
        ("update request", update_request),
        ("a monitor for a month", monitor_month),
    ];
    let list = list.map(|(name, price)| format!("{name} {}", reais(price)));
    format!("prices, until escavador says otherwise: {}", list.join(", "))
}

fn caps(caps: Caps, prices: PriceList) -> String {
    let Some(smallest) = budget::smallest(caps) else {
        return "budget: no cap (neither JUSCACHE_BUDGET_DAY nor JUSCACHE_BUDGET_MONTH is set)".into();
    };
    let named = [("a day", caps.day), ("a month", caps.month)];
    let named: Vec<String> =
        named.iter().filter_map(|(period, cap)| Some(format!("{} {period}", reais((*cap)?)))).collect();
    let a_process = Prices::new(prices).of_a_fetch();
    let warning = match smallest < a_process {
        true => format!("; less than one process may cost ({}), so nothing new may be bought", reais(a_process)),
        false => String::new(),
    };
    format!("budget: at most {} (America/Sao_Paulo){warning}", named.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_are_told_in_reais_and_too_small_ones_are_warned_of() {
        let told = |day, month| caps(Caps { day, month }, PriceList::default());
        assert!(told(None, None).starts_with("budget: no cap"));
        assert_eq!(told(Some(1_000), None), "budget: at most R$ 10,00 a day (America/Sao_Paulo)");
        let both = "budget: at most R$ 10,00 a day and R$ 200,00 a month (America/Sao_Paulo)";
        assert_eq!(told(Some(1_000), Some(20_000)), both);
        let small = "; less than one process may cost (R$ 6,00), so nothing new may be bought";
        assert!(told(Some(1_000), Some(599)).ends_with(small), "{}", told(Some(1_000), Some(599)));
    }

    #[test]
    fn every_price_is_told() {
        let told = prices(PriceList::default());
        assert!(told.contains("cover R$ 3,00, movements R$ 3,00") && told.contains("update request R$ 3,20"), "{told}");
    }
}
