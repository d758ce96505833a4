//! The closed table of problems (RFC 9457): the only way in which this service says no.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::Serialize;

use super::cache_headers::X_JUSCACHE_COST;
use super::identity::{RequestId, X_REQUEST_ID};
use super::params::ParamError;
use crate::coordinator::messages::LookupError;
use crate::domain::cnj::CnjError;
use crate::fetcher::messages::Failure;

/// When nothing better is known.
const DEFAULT_RETRY: Duration = Duration::from_secs(1);
/// Whoever is told to come back later than this would not.
const LONGEST_RETRY: Duration = Duration::from_secs(24 * 60 * 60);

/// Every problem there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The process number cannot exist.
    InvalidCnj,
    /// A query parameter is not allowed.
    InvalidParameter,
    /// No credentials, or wrong ones.
    Unauthorized,
    /// Credentials without the scope.
    Forbidden,
    /// The process is under secrecy of justice.
    SealedProcess,
    /// The vendor does not know the process.
    UnknownProcess,
    /// No such page here.
    NotFound,
    /// The page is there, the method is not.
    MethodNotAllowed,
    /// Only a held copy was wanted and none is held.
    NotCached,
    /// The caller asks too often.
    RateLimited,
    /// Too many wait, or the service is recovering.
    Overloaded,
    /// No copy is held and the vendor gave none.
    UpstreamUnavailable,
    /// No copy is held and the vendor's account has no credit.
    CreditsExhausted,
    /// No copy is held and our own cap is reached.
    BudgetExhausted,
    /// The request's body is too large.
    PayloadTooLarge,
    /// Our fault.
    Internal,
}

/// What the table says of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The last part of `type`; also the word for logs and metrics.
    pub slug: &'static str,
    /// The status it always has.
    pub status: StatusCode,
    /// Its name, in Portuguese.
    pub title: &'static str,
    /// What it means and what to do, in Portuguese.
    pub explanation: &'static str,
}

impl Kind {
    /// The whole table, in the contract's order; the two that only HTTP itself needs come last.
    pub const ALL: [Self; 16] = [
        Self::InvalidCnj,
        Self::InvalidParameter,
        Self::Unauthorized,
        Self::Forbidden,
        Self::SealedProcess,
        Self::UnknownProcess,
        Self::NotCached,
        Self::RateLimited,
        Self::Overloaded,
        Self::UpstreamUnavailable,
        Self::CreditsExhausted,
        Self::BudgetExhausted,
        Self::PayloadTooLarge,
        Self::Internal,
        Self::NotFound,
        Self::MethodNotAllowed,
    ];

    /// The kind that a slug names.
    #[must_use]
    pub fn of_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.row().slug == slug)
    }

    /// Its row of the table.
    #[must_use]
    pub const fn row(self) -> Row {
        let (slug, status, title, explanation) = match self {
            Self::InvalidCnj => (
                "invalid-cnj",
                StatusCode::UNPROCESSABLE_ENTITY,
                "Número de processo inválido",
                "O número não segue o padrão do CNJ (NNNNNNN-DD.AAAA.J.TR.OOOO, com ou sem pontuação, 20 dígitos) ou os seus \
                 dígitos verificadores não conferem. Nada foi consultado nem cobrado. Confira o número e envie-o de novo.",
            ),
            Self::InvalidParameter => (
                "invalid-parameter",
                StatusCode::BAD_REQUEST,
                "Parâmetro inválido",
                "Um parâmetro da consulta tem um valor que não é aceito. O campo \"detail\" diz qual é, o que foi recebido e o \
                 que é permitido. Corrija-o e repita a consulta.",
            ),
            Self::Unauthorized => (
                "unauthorized",
                StatusCode::UNAUTHORIZED,
                "Credencial ausente ou inválida",
                "Esta operação exige uma credencial válida: uma chave de cliente ou, em /api/v1/admin, o token de administração. \
                 Envie-a no cabeçalho \"Authorization: Bearer <credencial>\".",
            ),
            Self::Forbidden => (
                "forbidden",
                StatusCode::FORBIDDEN,
                "Permissão insuficiente",
                "A chave é válida, mas não tem permissão para esta operação. Peça a quem administra o serviço uma chave com o \
                 escopo necessário.",
            ),
            Self::SealedProcess => (
                "sealed-process",
                StatusCode::FORBIDDEN,
                "Processo em segredo de justiça",
                "O processo tramita em segredo de justiça e só é mostrado a chaves com permissão expressa (escopo \"sealed\"). \
                 Peça a quem administra o serviço uma chave com esse escopo.",
            ),
            Self::UnknownProcess => (
                "unknown-process",
                StatusCode::NOT_FOUND,
                "Processo não encontrado",
                "O número é válido, mas o fornecedor não conhece este processo. Processos recentes podem levar alguns dias até \
                 aparecer. A resposta é lembrada por algum tempo; para perguntar de novo já, use force_refresh=true.",
            ),
            Self::NotCached => (
                "not-cached",
                StatusCode::GATEWAY_TIMEOUT,
                "Sem cópia guardada",
                "A consulta pediu apenas cópias guardadas (Cache-Control: only-if-cached) e nenhuma serve. Repita-a sem essa \
                 diretiva para consultar o fornecedor.",
            ),
            Self::RateLimited => (
                "rate-limited",
                StatusCode::TOO_MANY_REQUESTS,
                "Consultas demais",
                "Você fez mais consultas do que o seu limite permite. Espere o tempo indicado em Retry-After e repita.",
            ),
            Self::Overloaded => (
                "overloaded",
                StatusCode::SERVICE_UNAVAILABLE,
                "Serviço ocupado",
                "Há consultas demais em espera, ou uma parte do serviço está sendo reiniciada. Espere o tempo indicado em \
                 Retry-After e repita a consulta.",
            ),
            Self::UpstreamUnavailable => (
                "upstream-unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "Fornecedor indisponível",
                "Não há cópia guardada deste processo e o fornecedor dos dados não pôde ser consultado agora. Espere o tempo \
                 indicado em Retry-After e repita a consulta.",
            ),
            Self::CreditsExhausted => (
                "credits-exhausted",
                StatusCode::SERVICE_UNAVAILABLE,
                "Créditos esgotados",
                "Não há cópia guardada deste processo e a conta no fornecedor está sem créditos. Avise quem administra o serviço; \
                 processos já guardados continuam disponíveis.",
            ),
            Self::BudgetExhausted => (
                "budget-exhausted",
                StatusCode::SERVICE_UNAVAILABLE,
                "Orçamento esgotado",
                "Não há cópia guardada deste processo e o limite de gastos configurado neste serviço foi atingido. Espere o tempo \
                 indicado em Retry-After ou peça a quem administra o serviço que aumente o limite.",
            ),
            Self::PayloadTooLarge => (
                "payload-too-large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "Corpo grande demais",
                "O corpo da requisição passa do tamanho aceito. Divida-o em requisições menores.",
            ),
            Self::Internal => (
                "internal",
                StatusCode::INTERNAL_SERVER_ERROR,
                "Erro interno",
                "Ocorreu uma falha neste serviço; ela foi registrada. Se persistir, informe a quem o administra o identificador \
                 que está no campo \"instance\".",
            ),
            Self::NotFound => (
                "not-found",
                StatusCode::NOT_FOUND,
                "Endereço não encontrado",
                "Não há nada neste endereço. Confira o caminho; a lista de problemas está em /problems.",
            ),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "Método não permitido",
                "O endereço existe, mas não aceita este método HTTP. O cabeçalho Allow diz quais aceita.",
            ),
        };
        Row { slug, status, title, explanation }
    }

    const fn names_a_time(self) -> bool {
        matches!(self.row().status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
    }
}

/// One problem that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
    cost_centavos: u64,
    wrong: Vec<WrongEntry>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    wrong: &'a [WrongEntry],
}

/// One of several things that are wrong in a body that is refused whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WrongEntry {
    /// Its place, counted from one.
    pub position: usize,
    /// The beginning of what was given, escaped.
    pub given: String,
    /// What is wrong and what to do, in Portuguese.
    pub detail: String,
}

impl Problem {
    /// A problem of this kind; `detail` is one helpful sentence in Portuguese.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), retry_after: None, allow: None, cost_centavos: 0, wrong: Vec::new() }
    }

    /// Says when to come back. Without it a 429 or 503 says one second.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// Says what it cost all the same.
    #[must_use]
    pub fn spent(self, cost_centavos: u64) -> Self {
        Self { cost_centavos, ..self }
    }

    /// Names everything that is wrong (`wrong` in the document).
    #[must_use]
    pub fn naming(self, wrong: Vec<WrongEntry>) -> Self {
        Self { wrong, ..self }
    }

    /// An address that answers only `methods`, written as `Allow` wants them.
    #[must_use]
    pub fn method_not_allowed(methods: &'static str) -> Self {
        let detail = format!("Este endereço aceita apenas: {methods}.");
        Self { allow: Some(methods), ..Self::new(Kind::MethodNotAllowed, detail) }
    }

    /// An address with nothing behind it.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, "Não há nada neste endereço; confira o caminho e o número do processo.")
    }

    /// Our fault; what it was stays in the log.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            Kind::Internal,
            "A consulta falhou por um erro nosso, que foi registrado; tente de novo em instantes.",
        )
    }

    /// A body over `limit` bytes.
    #[must_use]
    pub fn payload_too_large(limit: usize) -> Self {
        Self::new(Kind::PayloadTooLarge, format!("O corpo da requisição pode ter no máximo {limit} bytes."))
    }

    /// A process under secrecy of justice.
    #[must_use]
    pub fn sealed() -> Self {
        Self::new(
            Kind::SealedProcess,
            "Este processo tramita em segredo de justiça e não pode ser mostrado a este cliente.",
        )
    }

    /// Which problem it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Seconds for `Retry-After`, rounded up, at least 1; `None` where the kind names no time.
    #[must_use]
    pub fn retry_seconds(&self) -> Option<u64> {
        self.kind.names_a_time().then(|| {
            let wait = self.retry_after.unwrap_or(DEFAULT_RETRY).clamp(DEFAULT_RETRY, LONGEST_RETRY);
            wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
        })
    }

    /// The answer.
    #[must_use]
    pub fn respond(&self, id: &RequestId) -> HttpResponse {
        let row = self.kind.row();
        let document = Document {
            r#type: format!("/problems/{}", row.slug),
            title: row.title,
            status: row.status.as_u16(),
            detail: &self.detail,
            instance: id.as_str(),
            wrong: &self.wrong,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = HttpResponse::with_body(row.status, BoxBody::new(body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static("pt-BR"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_REQUEST_ID.clone(), id.header());
        if let Some(seconds) = self.retry_seconds() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.cost_centavos > 0 {
            headers.insert(X_JUSCACHE_COST.clone(), HeaderValue::from(self.cost_centavos));
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}

impl From<CnjError> for Problem {
    fn from(error: CnjError) -> Self {
        Self::new(Kind::InvalidCnj, error.detail_pt())
    }
}

impl From<ParamError> for Problem {
    fn from(error: ParamError) -> Self {
        Self::new(Kind::InvalidParameter, error.detail_pt())
    }
}

impl From<LookupError> for Problem {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Unknown => {
                Self::new(Kind::UnknownProcess, "O fornecedor não conhece nenhum processo com este número; confira-o.")
            }
            LookupError::NotHeld => Self::new(
                Kind::NotCached,
                "Não há cópia guardada que sirva; repita sem only-if-cached para consultar o fornecedor.",
            ),
            LookupError::Overloaded { retry_after } => Self::new(
                Kind::Overloaded,
                "Há consultas demais em espera; repita depois do tempo indicado em Retry-After.",
            )
            .retry_after(retry_after),
            LookupError::Recovering { retry_after } => Self::new(
                Kind::Overloaded,
                "O serviço está se recuperando e não respondeu a tempo; repita depois do tempo indicado em Retry-After.",
            )
            .retry_after(retry_after),
            LookupError::Upstream { failure, retry_after, cost_centavos } => {
                let (kind, detail) = upstream(failure);
                Self { cost_centavos, ..Self::new(kind, detail).retry_after(retry_after) }
            }
        }
    }
}

/// Which problem a vendor's failure is, and the sentence for whoever wanted a copy.
pub(super) fn upstream(failure: Failure) -> (Kind, &'static str) {
    let detail = match failure {
        Failure::NoCredit => {
            return (
                Kind::CreditsExhausted,
                "A conta no fornecedor está sem créditos e não há cópia guardada deste processo; avise quem administra o serviço.",
            );
        }
        Failure::BudgetExhausted => {
            return (
                Kind::BudgetExhausted,
                "O limite de gastos deste serviço foi atingido e não há cópia guardada deste processo; avise quem o administra.",
            );
        }
        Failure::NoProvider => {
            "Nenhum fornecedor de dados está configurado e não há cópia guardada deste processo; avise quem administra o serviço."
        }
        Failure::Unauthorized => {
            "O fornecedor recusa a credencial deste serviço e não há cópia guardada deste processo; avise quem o administra."
        }
        Failure::RateLimited => {
            "O limite de consultas ao fornecedor foi atingido e não há cópia guardada; repita depois do tempo em Retry-After."
        }
        Failure::TimedOut => {
            "O fornecedor não respondeu a tempo e não há cópia guardada; repita depois do tempo indicado em Retry-After."
        }
        Failure::Refused => {
            "O fornecedor recusou a consulta deste processo e não há cópia guardada; repetir logo não deve ajudar."
        }
        Failure::ServerError | Failure::Unreachable | Failure::Unreadable | Failure::EndlessPages => {
            "O fornecedor está indisponível e não há cópia guardada; repita depois do tempo indicado em Retry-After."
        }
    };
    (Kind::UpstreamUnavailable, detail)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_table_is_the_contracts() {
        let table: Vec<_> = Kind::ALL.iter().map(|kind| (kind.row().slug, kind.row().status.as_u16())).collect();
        let expected = [
            ("invalid-cnj", 422),
            ("invalid-parameter", 400),
            ("unauthorized", 401),
            ("forbidden", 403),
            ("sealed-process", 403),
            ("unknown-process", 404),
            ("not-cached", 504),
            ("rate-limited", 429),
            ("overloaded", 503),
            ("upstream-unavailable", 503),
            ("credits-exhausted", 503),
            ("budget-exhausted", 503),
            ("payload-too-large", 413),
            ("internal", 500),
            ("not-found", 404),
            ("method-not-allowed", 405),
        ];
        assert_eq!(table, expected);
        assert_eq!(Kind::ALL.iter().collect::<HashSet<_>>().len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::of_slug(kind.row().slug), Some(kind));
        }
        assert_eq!(Kind::of_slug("nope"), None);
    }

    #[test]
    fn a_time_to_come_back_is_named_exactly_with_429_and_503() {
        for kind in Kind::ALL {
            let named = Problem::new(kind, "").retry_seconds().is_some();
            assert_eq!(named, matches!(kind.row().status.as_u16(), 429 | 503), "{kind:?}");
        }
        for (wait, seconds) in [(0, 1), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (30_000, 30), (u64::MAX, 86_400)] {
            let problem = Problem::new(Kind::Overloaded, "").retry_after(Duration::from_millis(wait));
            assert_eq!(problem.retry_seconds(), Some(seconds), "{wait} ms");
        }
    }
}
