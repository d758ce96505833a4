//! `juscache check`.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{DONE, FAILED, WRONG_USAGE, print, say};
use crate::config::Settings;
use crate::config::source::Environment;
use crate::postgres_tier::migrations;
use crate::redis_tier;

const PATIENCE: Duration = Duration::from_secs(5);

/// Reports every mistake at once, then says which dependencies can be reached. Spends nothing: of the vendor only the port is
/// tried.
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
    let findings = actix_rt::System::new()
        .block_on(async { [redis(&settings).await, postgres(&settings).await, vendor(&settings).await] });
    for finding in &findings {
        match finding {
            Ok(line) | Err(line) => print(line.as_str()),
        }
    }
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

async fn vendor(settings: &Settings) -> Result<String, String> {
    let base = &settings.fetcher.base_url;
    if settings.fetcher.api_key.is_none() {
        return Ok("escavador: off (ESCAVADOR_API_KEY is not set); only copies are served".into());
    }
    let url = reqwest::Url::parse(base).map_err(|error| format!("escavador: {base}: {error}"))?;
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    match timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(format!("escavador: {base} can be reached (the key was not tried)")),
        Ok(Err(error)) => Err(format!("escavador: {base} cannot be reached: {error}")),
        Err(_) => Err(format!("escavador: {base} does not answer in time")),
    }
}
