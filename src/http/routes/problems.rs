//! `GET /problems` and `GET /problems/{slug}`: what each `type` of a problem document means.

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CONTENT_LANGUAGE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde::Serialize;

use super::{request_id, with_body};
use crate::http::problem::{Kind, Problem, Row};
use crate::http::query::decode_segment;

#[derive(Serialize)]
struct Explained {
    r#type: String,
    status: u16,
    title: &'static str,
    explanation: &'static str,
}

#[derive(Serialize)]
struct List {
    problems: Vec<Explained>,
}

/// All of them.
pub async fn list(request: HttpRequest) -> HttpResponse {
    let rows = || Kind::ALL.into_iter().map(Kind::row);
    if prefers_html(&request) {
        let items: String = rows().map(|row| section(&row)).collect();
        return html("Problemas", &items);
    }
    json(&List { problems: rows().map(explained).collect() })
}

/// One of them.
pub async fn page(request: HttpRequest) -> HttpResponse {
    let slug = decode_segment(request.match_info().get("slug").unwrap_or_default());
    let Some(kind) = Kind::of_slug(&slug) else {
        return Problem::new(Kind::NotFound, "Não há um problema com este nome; a lista completa está em /problems.")
            .respond(&request_id(&request));
    };
    let row = kind.row();
    if prefers_html(&request) { html(row.title, &section(&row)) } else { json(&explained(row)) }
}

fn explained(row: Row) -> Explained {
    let Row { slug, status, title, explanation } = row;
    Explained { r#type: format!("/problems/{slug}"), status: status.as_u16(), title, explanation }
}

fn json(answer: &impl Serialize) -> HttpResponse {
    let body = serde_json::to_vec(answer).unwrap_or_default();
    in_portuguese(with_body(StatusCode::OK, "application/json", Bytes::from(body)))
}

/// All words come from the table, so nothing needs escaping.
fn html(title: &str, content: &str) -> HttpResponse {
    let page = format!(
        "<!doctype html><html lang=\"pt-BR\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title} · juscache</title><style>body{{font:1rem/1.5 system-ui;max-width:40rem;margin:2rem auto;padding:0 1rem}}\
         </style><main>{content}</main></html>\n"
    );
    in_portuguese(with_body(StatusCode::OK, "text/html; charset=utf-8", Bytes::from(page)))
}

fn section(row: &Row) -> String {
    let Row { slug, status, title, explanation } = row;
    let status = status.as_u16();
    format!("<h1>{title}</h1><p><code>{status} <a href=\"/problems/{slug}\">{slug}</a></code></p><p>{explanation}</p>")
}

fn in_portuguese(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static("pt-BR"));
    response
}

fn prefers_html(request: &HttpRequest) -> bool {
    let lines: Vec<_> = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok()).collect();
    html_before_json(&lines.join(","))
}

/// Whether an `Accept` weighs HTML above JSON; a draw is JSON's.
fn html_before_json(accept: &str) -> bool {
    let [mut html, mut json, mut any] = [None, None, None];
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let slot = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "text/html" => &mut html,
            "application/json" | "application/problem+json" => &mut json,
            "*/*" => &mut any,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>).unwrap_or(0.0);
        *slot = Some(slot.unwrap_or(0.0_f32).max(weight));
    }
    let any = any.unwrap_or(0.0);
    html.unwrap_or(any) > json.unwrap_or(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_html_and_everybody_else_json() {
        assert!(html_before_json("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(html_before_json("application/json;q=0.5, TEXT/HTML;level=1;q=0.7"));
        for accept in
            ["", "*/*", "application/json", "text/html, application/json", "text/html;q=0", "text/html;q=x", ",;,"]
        {
            assert!(!html_before_json(accept), "{accept}");
        }
    }
}
