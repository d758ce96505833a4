//! The callback log's routes: list, mark as received, send again.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::log::{Callback, SeenCallback};
use crate::sandbox::answer::Asked;
use crate::sandbox::control::Control;
use crate::sandbox::numbered;
use crate::sandbox::reply::Reply;
use crate::sandbox::route::Endpoint;
use crate::sandbox::settings::{CallbackSandbox, TokenStyle};
use crate::sandbox::state::State;

/// So many ids can be marked at once.
const MOST_MARKED: usize = 20;

#[derive(Deserialize)]
struct Filter {
    page: Option<usize>,
    data_minima: Option<String>,
    data_maxima: Option<String>,
    evento: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize)]
struct Marked {
    ids: Vec<u64>,
}

impl Control {
    /// Answers the three routes.
    pub(in crate::sandbox) fn callbacks_route(&self, state: &mut State, asked: &Asked<'_>) -> Reply {
        self.settle_all(state);
        let now = self.clock().now();
        let id = asked.number.and_then(|id| id.parse::<u64>().ok());
        match (asked.endpoint, id) {
            (Endpoint::Callbacks, _) => list(state, asked),
            (Endpoint::CallbacksReceived, _) => match serde_json::from_slice::<Marked>(asked.body) {
                Ok(marked) if marked.ids.len() <= MOST_MARKED => {
                    marked.ids.into_iter().for_each(|id| state.callbacks.mark_received(id, now));
                    Reply::ok(json!([]), 0)
                }
                _ => Reply::refused(json!({"ids": ["O campo ids deve ter no máximo 20 itens."]})),
            },
            (Endpoint::CallbackResend, Some(id)) => match state.callbacks.resend(id, now) {
                Some(true) => Reply::ok(json!({"message": "Callback reenviado com sucesso!"}), 0),
                // A slip of the vendor's documentation, kept as it is.
                Some(false) => Reply::error(422, json!({"error": "Unauthenticated"})),
                None => Reply::not_found(),
            },
            _ => Reply::not_found(),
        }
    }

    /// Concludes everything whose time has come, with the callbacks that follow from it.
    pub(in crate::sandbox) fn settle_all(&self, state: &mut State) {
        state.settle_open(self.clock().now());
        self.settle_monitors(state);
    }

    /// Sends callbacks to `url` from now on, those that wait included, with `token` in the `Authorization` header.
    pub fn deliver_callbacks_to(&self, url: &str, token: &str, style: TokenStyle) {
        self.change_callbacks(|settings| {
            settings.url = Some(url.to_owned());
            token.clone_into(&mut settings.token);
            settings.style = style;
        });
    }

    /// Changes how callbacks are sent: address, scale of the retries, duplicates, order. What waits already keeps its time.
    pub fn change_callbacks(&self, change: impl FnOnce(&mut CallbackSandbox)) {
        change(&mut self.state().callbacks.settings);
    }

    /// The callbacks of the account, the oldest first, as they are now.
    #[must_use]
    pub fn callbacks(&self) -> Vec<SeenCallback> {
        let mut state = self.state();
        self.settle_all(&mut state);
        let mut seen: Vec<SeenCallback> = state.callbacks.newest_first().map(Callback::seen).collect();
        seen.reverse();
        seen
    }
}

fn list(state: &State, asked: &Asked<'_>) -> Reply {
    let Ok(filter) = actix_web::web::Query::<Filter>::from_query(asked.query) else {
        return Reply::refused(json!({"page": ["O campo page deve ser um número inteiro."]}));
    };
    let (from, until) = match (bound(filter.data_minima.as_deref()), bound(filter.data_maxima.as_deref())) {
        (Ok(from), Ok(until)) => (from, until),
        (Err(()), _) => return Reply::refused(json!({"data_minima": ["O campo data minima é inválido."]})),
        (_, Err(())) => return Reply::refused(json!({"data_maxima": ["O campo data maxima é inválido."]})),
    };
    let matches = |one: &&Callback| {
        from.is_none_or(|from| one.created_at.timestamp() >= from.timestamp())
            && until.is_none_or(|until| one.created_at.timestamp() <= until.timestamp())
            && filter.evento.as_deref().is_none_or(|event| event == one.event())
            && filter.status.as_deref().is_none_or(|status| status == one.status().as_filter())
    };
    let items: Vec<Value> = state.callbacks.newest_first().filter(matches).map(Callback::to_json).collect();
    let filters: Vec<&str> =
        asked.query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("page=")).collect();
    let mut address = format!("{}/api/v2/callbacks", asked.base);
    if !filters.is_empty() {
        address = format!("{address}?{}", filters.join("&"));
    }
    Reply::ok(numbered::page(&items, filter.page, &address, false), 0)
}

/// A bound as the query writes it, in UTC.
fn bound(text: Option<&str>) -> Result<Option<DateTime<Utc>>, ()> {
    let Some(text) = text else {
        return Ok(None);
    };
    let read = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").map_err(|_no_moment| ())?;
    Ok(Some(read.and_utc()))
}
