//! An answer before it goes out, and the vendor's error bodies.

use serde_json::{Value, json};

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Body,
    /// `Some` writes `Creditos-Utilizados`, `Some(0)` included.
    pub(super) centavos: Option<i64>,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// What an answer carries.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Json(Value),
    Html(String),
    Nothing,
}

impl Reply {
    /// 200 with its cost.
    pub(super) fn ok(body: Value, centavos: i64) -> Self {
        Self { status: 200, body: Body::Json(body), centavos: Some(centavos), headers: Vec::new() }
    }

    /// 204: done, and nothing to say.
    pub(super) fn no_content() -> Self {
        Self { status: 204, body: Body::Nothing, centavos: Some(0), headers: Vec::new() }
    }

    /// An error body, free.
    pub(super) fn error(status: u16, body: Value) -> Self {
        Self { status, body: Body::Json(body), centavos: None, headers: Vec::new() }
    }

    /// An error page as a PHP stack in trouble sends it.
    pub(super) fn html(status: u16, title: &str) -> Self {
        let page =
            format!("<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n");
        Self { status, body: Body::Html(page), centavos: None, headers: Vec::new() }
    }

    pub(super) fn unauthenticated() -> Self {
        Self::error(401, json!({"error": "Unauthenticated"}))
    }

    pub(super) fn no_credit() -> Self {
        Self::error(402, json!({"error": "Você não possui saldo em crédito da API."}))
    }

    /// The 404 of process, movements, status and update.
    pub(super) fn not_found() -> Self {
        Self::error(404, json!({"error": "NotFound"}))
    }

    /// The 404 of envolvidos, documents and summaries.
    pub(super) fn resource_not_found() -> Self {
        let body = json!({"code": "NOT_FOUND", "message": "Recurso não encontrado", "errors": null, "appends": null});
        Self::error(404, body)
    }

    pub(super) fn invalid_number() -> Self {
        let message = "O número do processo não está no formato CNJ.";
        Self::error(422, json!({"code": "NUMERO_CNJ_INVALIDO", "message": message, "errors": null, "appends": null}))
    }

    /// The generic 422.
    pub(super) fn refused(errors: Value) -> Self {
        let message = "Não foi possível processar a solicitação";
        Self::error(422, json!({"code": "UNPROCESSABLE_ENTITY", "message": message, "errors": errors, "appends": null}))
    }

    /// A 422 that says in one sentence what is in the way.
    pub(super) fn refused_because(message: &str) -> Self {
        Self::error(422, json!({"code": "UNPROCESSABLE_ENTITY", "message": message, "errors": null, "appends": null}))
    }

    /// The 422 of an update request while one is open.
    pub(super) fn busy(open: &Value) -> Self {
        let message = "Esse processo já está sendo atualizado.";
        let appends = json!({"ultima_verificacao": open});
        Self::error(
            422,
            json!({"code": "UNPROCESSABLE_ENTITY", "message": message, "errors": null, "appends": appends}),
        )
    }

    /// Laravel's 429.
    pub(super) fn too_many(limit: u32, wait_seconds: u64, reset_epoch: i64) -> Self {
        let mut reply = Self::error(429, json!({"message": "Too Many Attempts."}));
        reply.headers = vec![
            ("Retry-After", wait_seconds.to_string()),
            ("X-RateLimit-Limit", limit.to_string()),
            ("X-RateLimit-Remaining", "0".to_owned()),
            ("X-RateLimit-Reset", reset_epoch.to_string()),
        ];
        reply
    }
}
