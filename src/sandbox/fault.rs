//! The ways a vendor misbehaves, each switchable for one endpoint and a number of times.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::datajud::SearchFault;
use super::reply::Reply;

/// One way to misbehave. Unless said otherwise nothing is charged and the request is not looked at any further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 500 with an HTML page.
    Html500,
    /// 503 `{"message":"Service Unavailable"}`.
    Json503,
    /// 429; the vendor's real shape is unknown, Laravel's is assumed.
    RateLimited {
        /// `Retry-After` as it is to be written (seconds or a date); `None`: no rate header at all.
        retry_after: Option<String>,
        /// An HTML page instead of `{"message":"Too Many Attempts."}`.
        html: bool,
    },
    /// 401 although the token is right.
    Unauthorized,
    /// 402 whatever the balance.
    NoCredit,
    /// 403 `{"message":"Seu saldo está bloqueado"}`.
    Blocked403,
    /// The right answer, this much later.
    Slow(Duration),
    /// Charged; `Content-Length` of the whole body, then half of it and the connection closed.
    Truncated,
    /// Charged; a well-framed body that ends in the middle of the JSON.
    CutJson,
    /// The connection closed without a byte of answer.
    Reset,
    /// Charged; right headers, then a body that drips blanks until the client leaves (ten minutes at most).
    NeverEnds,
    /// `links.next` on another host: this base replaces the sandbox's own, e.g. `http://127.0.0.1:9`.
    NextToOtherHost(String),
    /// `links.next` on `http://api.escavador.com`, as the vendor has been seen to write it.
    NextHttp,
    /// `links.next` is the request's own address, for ever.
    NextLoops,
    /// `links.next` always carries the cursor behind the first page.
    NextRepeatsCursor,
    /// Nulls in keys that the documentation calls always present (ids, days and numbers stay).
    NullsInRequired,
    /// Every `grau` as a string.
    GrauAsString,
    /// A 422 whose `errors` is `[]`.
    ErrorsAsEmptyArray,
    /// 302 to this address.
    Redirect(String),
    /// Charged, then no answer until the client leaves (ten minutes at most).
    ChargedTimeout,
    /// Charged; 200 with JSON of another shape.
    WrongShape,
    /// 404 `{"error":"NotFound"}`, as of a route that is gone.
    NotFound,
    /// One of DataJud's own.
    Search(SearchFault),
}

/// The names of all faults, as the control route takes them.
pub(super) fn names() -> Vec<&'static str> {
    VENDORS_NAMES.into_iter().chain(SearchFault::ALL.map(SearchFault::as_str)).collect()
}

const VENDORS_NAMES: [&str; 22] = [
    "html-500",
    "json-503",
    "rate-limited",
    "unauthorized",
    "no-credit",
    "blocked-403",
    "slow",
    "truncated",
    "cut-json",
    "reset",
    "never-ends",
    "next-to-other-host",
    "next-http",
    "next-loops",
    "next-repeats-cursor",
    "nulls-in-required",
    "grau-as-string",
    "errors-as-empty-array",
    "redirect",
    "charged-timeout",
    "wrong-shape",
    "not-found",
];

/// What some faults need to know, all optional.
#[derive(Debug, Default, Deserialize)]
pub(super) struct FaultDetails {
    /// For `slow`: `3s`, `500ms`.
    delay: Option<String>,
    /// For `rate-limited`; without it the answer has no rate header.
    retry_after: Option<String>,
    /// For `rate-limited`.
    #[serde(default)]
    html: bool,
    /// For `next-to-other-host` and `redirect`.
    to: Option<String>,
}

impl Fault {
    /// The fault of that name; `Err` says what is wrong in one sentence.
    pub(super) fn named(name: &str, details: FaultDetails) -> Result<Self, String> {
        let elsewhere = details.to.unwrap_or_else(|| "http://127.0.0.1:9".to_owned());
        Ok(match name {
            "html-500" => Self::Html500,
            "json-503" => Self::Json503,
            "rate-limited" => Self::RateLimited { retry_after: details.retry_after, html: details.html },
            "unauthorized" => Self::Unauthorized,
            "no-credit" => Self::NoCredit,
            "blocked-403" => Self::Blocked403,
            "slow" => {
                let delay = details.delay.as_deref().unwrap_or("3s");
                Self::Slow(humantime::parse_duration(delay).map_err(|error| format!("delay {delay:?}: {error}"))?)
            }
            "truncated" => Self::Truncated,
            "cut-json" => Self::CutJson,
            "reset" => Self::Reset,
            "never-ends" => Self::NeverEnds,
            "next-to-other-host" => Self::NextToOtherHost(elsewhere),
            "next-http" => Self::NextHttp,
            "next-loops" => Self::NextLoops,
            "next-repeats-cursor" => Self::NextRepeatsCursor,
            "nulls-in-required" => Self::NullsInRequired,
            "grau-as-string" => Self::GrauAsString,
            "errors-as-empty-array" => Self::ErrorsAsEmptyArray,
            "redirect" => Self::Redirect(elsewhere),
            "charged-timeout" => Self::ChargedTimeout,
            "wrong-shape" => Self::WrongShape,
            "not-found" => Self::NotFound,
            other => match SearchFault::named(other) {
                Some(fault) => Self::Search(fault),
                None => return Err(format!("no fault is called {other:?}")),
            },
        })
    }

    /// The name it goes by in calls and over HTTP.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Html500 => "html-500",
            Self::Json503 => "json-503",
            Self::RateLimited { .. } => "rate-limited",
            Self::Unauthorized => "unauthorized",
            Self::NoCredit => "no-credit",
            Self::Blocked403 => "blocked-403",
            Self::Slow(_) => "slow",
            Self::Truncated => "truncated",
            Self::CutJson => "cut-json",
            Self::Reset => "reset",
            Self::NeverEnds => "never-ends",
            Self::NextToOtherHost(_) => "next-to-other-host",
            Self::NextHttp => "next-http",
            Self::NextLoops => "next-loops",
            Self::NextRepeatsCursor => "next-repeats-cursor",
            Self::NullsInRequired => "nulls-in-required",
            Self::GrauAsString => "grau-as-string",
            Self::ErrorsAsEmptyArray => "errors-as-empty-array",
            Self::Redirect(_) => "redirect",
            Self::ChargedTimeout => "charged-timeout",
            Self::WrongShape => "wrong-shape",
            Self::NotFound => "not-found",
            Self::Search(fault) => fault.as_str(),
        }
    }

    /// The answer of a fault that does not look at the request.
    pub(super) fn early_reply(&self) -> Option<Reply> {
        Some(match self {
            Self::Html500 => Reply::html(500, "500 Server Error"),
            Self::Json503 => Reply::error(503, json!({"message": "Service Unavailable"})),
            Self::RateLimited { retry_after, html } => {
                let mut reply = if *html {
                    Reply::html(429, "429 Too Many Requests")
                } else {
                    Reply::error(429, json!({"message": "Too Many Attempts."}))
                };
                reply.headers.extend(retry_after.clone().map(|value| ("Retry-After", value)));
                reply
            }
            Self::Unauthorized => Reply::unauthenticated(),
            Self::NoCredit => Reply::no_credit(),
            Self::NotFound => Reply::not_found(),
            Self::Blocked403 => Reply::error(403, json!({"message": "Seu saldo está bloqueado"})),
            Self::ErrorsAsEmptyArray => Reply::refused(json!([])),
            Self::Redirect(to) => {
                let mut reply = Reply::html(302, "302 Found");
                reply.headers.push(("Location", to.clone()));
                reply
            }
            _ => return None,
        })
    }

    /// Spoils the body of a right answer to a request whose own address was `url`.
    pub(super) fn spoil(&self, body: &mut Value, url: &str) {
        match self {
            Self::NextToOtherHost(base) => rebase_next(body, base),
            Self::NextHttp => rebase_next(body, "http://api.escavador.com"),
            Self::NextLoops => {
                if let Some(next) = body.pointer_mut("/links/next") {
                    *next = json!(url);
                }
            }
            Self::GrauAsString => grau_as_string(body),
            Self::NullsInRequired => nulls_in_required(body),
            Self::Search(fault) => fault.spoil(body),
            Self::WrongShape => *body = json!({"data": {"items": "indisponível"}, "success": true}),
            _ => {}
        }
    }
}

fn rebase_next(body: &mut Value, base: &str) {
    if let Some(Value::String(next)) = body.pointer_mut("/links/next")
        && let Some((_, path)) = next.split_once("/api/")
    {
        *next = format!("{}/api/{path}", base.trim_end_matches('/'));
    }
}

fn grau_as_string(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(grau_as_string),
        Value::Object(keys) => {
            for (key, value) in keys {
                match value {
                    Value::Number(number) if key == "grau" => *value = json!(number.to_string()),
                    _ => grau_as_string(value),
                }
            }
        }
        _ => {}
    }
}

fn nulls_in_required(body: &mut Value) {
    let erase = |keys: &mut Map<String, Value>, names: &[&str]| {
        for name in names {
            if let Some(value) = keys.get_mut(*name) {
                *value = Value::Null;
            }
        }
    };
    let Some(keys) = body.as_object_mut() else { return };
    erase(
        keys,
        &[
            "titulo_polo_ativo",
            "titulo_polo_passivo",
            "data_inicio",
            "data_ultima_movimentacao",
            "fontes_tribunais_estao_arquivadas",
            "data_ultima_verificacao",
            "tempo_desde_ultima_verificacao",
            "ultima_verificacao",
        ],
    );
    for fonte in keys.get_mut("fontes").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(fonte) = fonte.as_object_mut() {
            erase(fonte, &["descricao", "nome", "sigla", "tipo", "grau", "grau_formatado", "envolvidos", "capa"]);
        }
    }
    let items = keys.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten();
    for (at, item) in items.enumerate() {
        let Some(item) = item.as_object_mut() else { continue };
        match at % 3 {
            0 => erase(item, &["conteudo", "tipo"]),
            1 => erase(item, &["fonte"]),
            _ => {
                if let Some(fonte) = item.get_mut("fonte").and_then(Value::as_object_mut) {
                    erase(fonte, &["fonte_id", "nome", "sigla", "tipo", "grau", "grau_formatado"]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_a_fault_that_goes_by_it() {
        for name in names() {
            assert_eq!(Fault::named(name, FaultDetails::default()).unwrap().as_str(), name);
        }
        assert!(Fault::named("earthquake", FaultDetails::default()).is_err());
        let wrong = FaultDetails { delay: Some("soon".to_owned()), ..FaultDetails::default() };
        assert!(Fault::named("slow", wrong).is_err());
    }

    #[test]
    fn spoiling_touches_what_it_says_only() {
        let whole = json!({"items": [{"id": 1, "data": "2024-01-01", "tipo": "ANDAMENTO", "conteudo": "x",
            "fonte": {"grau": 1}}, {"id": 2, "fonte": {"grau": 2}}], "links": {"next": "http://a/api/v2/x?cursor=c"}});
        let spoiled = |fault: Fault| {
            let mut body = whole.clone();
            fault.spoil(&mut body, "http://a/api/v2/x");
            body
        };
        assert_eq!(spoiled(Fault::GrauAsString)["items"][1]["fonte"]["grau"], "2");
        let nulls = spoiled(Fault::NullsInRequired);
        assert_eq!((&nulls["items"][0]["id"], &nulls["items"][0]["data"]), (&json!(1), &json!("2024-01-01")));
        assert!(nulls["items"][0]["conteudo"].is_null() && nulls["items"][1]["fonte"].is_null());
        let moved = spoiled(Fault::NextToOtherHost("http://b:1/".to_owned()));
        assert_eq!(moved["links"]["next"], "http://b:1/api/v2/x?cursor=c");
        assert_eq!(spoiled(Fault::NextLoops)["links"]["next"], "http://a/api/v2/x");
        assert_eq!(spoiled(Fault::Slow(Duration::ZERO)), whole);
    }
}
