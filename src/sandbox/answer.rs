//! The right answer to a request: what the vendor would say on a good day.

use serde_json::{Value, json};

use super::control::Control;
use super::number::Number;
use super::page::{self, Cursor, Query};
use super::process::Process;
use super::reply::Reply;
use super::route::Endpoint;
use super::state::State;
use super::update::Update;
use super::wire;

/// A request, taken apart.
pub(super) struct Asked<'a> {
    pub(super) endpoint: Endpoint,
    /// The number as it stands in the path; where monitors and callbacks are named by an id, that.
    pub(super) number: Option<&'a str>,
    pub(super) query: &'a str,
    pub(super) authorization: Option<&'a str>,
    pub(super) body: &'a [u8],
    /// `http://host:port`, for links.
    pub(super) base: &'a str,
}

impl Control {
    /// Answers and charges. `first_cursor` makes `links.next` point behind the first page whatever page this is.
    pub(super) fn answer(&self, asked: &Asked<'_>, first_cursor: bool) -> Reply {
        let token = asked.authorization.and_then(|header| header.strip_prefix("Bearer ")).map(str::trim);
        let settings = self.settings();
        let accepted = match (&settings.api_key, token) {
            (Some(key), Some(token)) => key == token,
            (None, Some(token)) => !token.is_empty(),
            (_, None) => false,
        };
        if !accepted {
            return Reply::unauthenticated();
        }
        let mut state = self.state();
        if !state.bucket.take(self.clock().monotonic()) {
            let wait = 60 / u64::from(settings.requests_per_minute.max(1)) + 1;
            let reset = self.clock().now().timestamp() + i64::try_from(wait).unwrap_or(60);
            return Reply::too_many(settings.requests_per_minute, wait, reset);
        }
        if asked.endpoint == Endpoint::Credits {
            return Reply::ok(balance(state.credits), 0);
        }
        match asked.endpoint {
            Endpoint::MonitorCreate | Endpoint::Monitors | Endpoint::Monitor | Endpoint::MonitorRemove => {
                return self.monitors_route(&mut state, asked);
            }
            Endpoint::Callbacks | Endpoint::CallbacksReceived | Endpoint::CallbackResend => {
                return self.callbacks_route(&mut state, asked);
            }
            _ => {}
        }
        let (Some(written), true) = (asked.number, asked.endpoint != Endpoint::Other) else {
            return Reply::not_found();
        };
        let Some(number) = Number::parse(written) else {
            return Reply::invalid_number();
        };
        if settings.check_dv && !number.has_right_check_digits() {
            return Reply::invalid_number();
        }
        let reply = match asked.endpoint {
            Endpoint::Status => self.status(&mut state, &number),
            Endpoint::Update => self.update(&mut state, &number, asked.body),
            _ => self.read(&mut state, &number, asked, first_cursor),
        };
        state.charge(reply.centavos.unwrap_or(0));
        reply
    }

    fn read(&self, state: &mut State, number: &Number, asked: &Asked<'_>, first_cursor: bool) -> Reply {
        let prices = self.settings().prices;
        let query = Query::read(asked.query);
        let price = match asked.endpoint {
            Endpoint::Cover => prices.cover,
            Endpoint::Envolvidos => prices.envolvidos,
            _ if self.was_paid(number, &query) => 0,
            _ => prices.movements,
        };
        if price > 0 && state.credits <= 0 {
            return Reply::no_credit();
        }
        let entry = self.entry(state, number);
        let verified_at = entry.verified_at;
        let Some(process) = entry.process.clone() else {
            let envolvidos = asked.endpoint == Endpoint::Envolvidos;
            return if envolvidos { Reply::resource_not_found() } else { Reply::not_found() };
        };
        match asked.endpoint {
            Endpoint::Cover => Reply::ok(wire::cover(&process, verified_at, self.clock().now()), price),
            Endpoint::Envolvidos => match query.limit.as_deref() {
                None | Some("50" | "100") => Reply::ok(
                    json!({"items": wire::participants(&process), "links": {"next": null}, "paginator": {"per_page": 50}}),
                    price,
                ),
                Some(_) => Reply::refused(json!({"limit": ["O campo limit selecionado é inválido."]})),
            },
            _ => {
                let li = query.li.filter(|_| price == 0 && query.cursor.is_some());
                let li = li.unwrap_or_else(|| self.next_li(state, number));
                self.movements(&process, &query, asked.base, li, price, first_cursor)
            }
        }
    }

    fn movements(
        &self,
        process: &Process,
        query: &Query,
        base: &str,
        li: u64,
        price: i64,
        first_cursor: bool,
    ) -> Reply {
        let page = match page::movements(&process.movements, query) {
            Ok(page) => page,
            Err((field, sentence)) => return Reply::refused(json!({field: [sentence]})),
        };
        let ascending = query.order.as_deref().is_some_and(|order| order.eq_ignore_ascii_case("asc"));
        let last = if first_cursor {
            let at = page.limit.saturating_sub(1).min(process.movements.len().saturating_sub(1));
            if ascending { process.movements.iter().rev().nth(at) } else { process.movements.get(at) }
        } else {
            page.items.last().copied().filter(|_| page.more)
        };
        let next = last.map(|last| {
            let mut next = format!(
                "{base}/api/v2/processos/numero_cnj/{}/movimentacoes?cursor={}&li={li}",
                process.number.masked(),
                Cursor::behind(last).encode(),
            );
            if self.settings().links_repeat_parameters {
                next.extend(query.limit.iter().map(|limit| format!("&limit={limit}")));
                next.extend(query.order.iter().map(|order| format!("&ordem={order}")));
            }
            next
        });
        let items: Vec<Value> = page.items.into_iter().map(|movement| wire::movement(process, movement)).collect();
        Reply::ok(json!({"items": items, "links": {"next": next}, "paginator": {"per_page": page.limit}}), price)
    }

    fn status(&self, state: &mut State, number: &Number) -> Reply {
        let entry = self.entry(state, number);
        let masked = number.masked();
        let verified_at = entry.process.as_ref().map(|_| entry.verified_at);
        let update = entry.update.as_ref().map(|update| update.to_json(&masked, update.status()));
        let body = json!({
            "numero_cnj": masked, "data_ultima_verificacao": verified_at.map(wire::instant),
            "tempo_desde_ultima_verificacao": verified_at.map(|at| wire::ago(at, self.clock().now())),
            "ultima_verificacao": update,
        });
        Reply::ok(body, self.settings().prices.status)
    }

    fn update(&self, state: &mut State, number: &Number, body: &[u8]) -> Reply {
        let options: Value = serde_json::from_slice(body).unwrap_or_default();
        // Presence is what counts, as measured on the real one: two zeros are refused too.
        if options.get("documentos_publicos").is_some() && options.get("autos").is_some() {
            let message = "Não é possível solicitar atualização de documentos públicos e autos ao mesmo tempo.";
            let refusal = json!({"code": "UNPROCESSABLE_ENTITY", "message": message, "errors": null, "appends": null});
            return Reply::error(422, refusal);
        }
        let price = self.settings().prices.update;
        if price > 0 && state.credits <= 0 {
            return Reply::no_credit();
        }
        let masked = number.masked();
        let entry = self.entry(state, number);
        if let Some(open) = entry.update.as_ref().filter(|update| update.is_open()) {
            return Reply::busy(&open.to_json(&masked, "NA_FILA"));
        }
        let planned = entry.planned.take();
        state.last_update += 1;
        let callback = options.get("enviar_callback").is_some_and(|value| value == 1 || value == "1" || value == true);
        let (now, delay) = (self.clock().now(), self.settings().update_delay);
        let update = Update::open(state.last_update, now, delay, planned, callback);
        let answer = update.to_json(&masked, update.status());
        let entry = self.entry(state, number);
        entry.touched = true;
        entry.update = Some(update);
        state.open_updates.insert(number.digits().to_owned());
        Reply::ok(answer, price)
    }

    /// A fresh `li`: a serial number with a mark of the process, so that it pays for that process only and nothing has to be
    /// remembered.
    fn next_li(&self, state: &mut State, number: &Number) -> u64 {
        state.last_li += 1;
        (state.last_li << 16) | self.li_mark(number)
    }

    fn was_paid(&self, number: &Number, query: &Query) -> bool {
        query.cursor.is_some() && query.li.is_some_and(|li| li & 0xffff == self.li_mark(number))
    }

    fn li_mark(&self, number: &Number) -> u64 {
        super::dice::Dice::new(self.settings().seed, &format!("li {}", number.digits())).bits() & 0xffff
    }
}

fn balance(centavos: i64) -> Value {
    let (reais, cents) = (centavos / 100, (centavos % 100).abs());
    let sign = if centavos < 0 && reais == 0 { "-" } else { "" };
    let reais_text = reais.to_string();
    // An exact decimal, never a float made of an amount of money.
    let amount = format!("{sign}{reais_text}.{cents:02}").parse::<serde_json::Number>().ok();
    json!({
        "quantidade_creditos": centavos, "saldo": amount, "saldo_descricao": format!("R$ {sign}{reais_text},{cents:02}"),
    })
}
