//! `juscache migrate [--check]`.

use super::{DONE, FAILED, print, say};
use crate::config::Settings;
use crate::postgres_tier::migrations;

/// Applies pending migrations, or only lists them, one name a line.
pub(super) fn run(settings: Settings, check: bool) -> u8 {
    let Some(url) = settings.database_url else {
        say("DATABASE_URL is not set: the embedded database is migrated whenever the service starts");
        return DONE;
    };
    actix_rt::System::new().block_on(async {
        let outcome = if check { migrations::pending(&url).await } else { migrations::apply(&url).await };
        match outcome {
            Ok(names) => {
                let done = if check { "pending" } else { "applied" };
                say(&format!("{} migrations {done}", names.len()));
                names.iter().for_each(|name| print(name));
                DONE
            }
            Err(error) => {
                say(&format!("migrations: {error}"));
                FAILED
            }
        }
    })
}
