//! Which of the vendors' routes a request asks for.

use super::datajud;

/// The vendors' routes that the sandbox knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// `GET /api/v2/processos/numero_cnj/{n}`.
    Cover,
    /// `GET …/{n}/movimentacoes`.
    Movements,
    /// `GET …/{n}/envolvidos`.
    Envolvidos,
    /// `GET …/{n}/status-atualizacao`, free.
    Status,
    /// `POST …/{n}/solicitar-atualizacao`.
    Update,
    /// `GET /api/v1/quantidade-creditos`, free.
    Credits,
    /// `POST /api/v2/monitoramentos/processos`.
    MonitorCreate,
    /// `GET /api/v2/monitoramentos/processos`.
    Monitors,
    /// `GET /api/v2/monitoramentos/processos/{id}`.
    Monitor,
    /// `DELETE /api/v2/monitoramentos/processos/{id}`.
    MonitorRemove,
    /// `GET /api/v2/callbacks`.
    Callbacks,
    /// `POST /api/v2/callbacks/marcar-recebidos`.
    CallbacksReceived,
    /// `POST /api/v2/callbacks/{id}/reenviar`.
    CallbackResend,
    /// DataJud's `POST /api_publica_{court}/_search`, free.
    Search,
    /// Anything else: 404.
    Other,
}

impl Endpoint {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::Cover,
        Self::Movements,
        Self::Envolvidos,
        Self::Status,
        Self::Update,
        Self::Credits,
        Self::MonitorCreate,
        Self::Monitors,
        Self::Monitor,
        Self::MonitorRemove,
        Self::Callbacks,
        Self::CallbacksReceived,
        Self::CallbackResend,
        Self::Search,
        Self::Other,
    ];

    /// The name used in calls, faults and the overview.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cover => "cover",
            Self::Movements => "movements",
            Self::Envolvidos => "envolvidos",
            Self::Status => "status",
            Self::Update => "update",
            Self::Credits => "credits",
            Self::MonitorCreate => "monitor-create",
            Self::Monitors => "monitors",
            Self::Monitor => "monitor",
            Self::MonitorRemove => "monitor-remove",
            Self::Callbacks => "callbacks",
            Self::CallbacksReceived => "callbacks-received",
            Self::CallbackResend => "callback-resend",
            Self::Search => "search",
            Self::Other => "other",
        }
    }

    /// The endpoint of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.as_str() == name)
    }
}

/// The endpoint of a request and the number in its path, as it was written.
pub(super) fn read<'a>(method: &str, path: &'a str) -> (Endpoint, Option<&'a str>) {
    if path == "/api/v1/quantidade-creditos" && method == "GET" {
        return (Endpoint::Credits, None);
    }
    if method == "POST" && datajud::index_of_path(path).is_some() {
        return (Endpoint::Search, None);
    }
    if let Some(tail) = path.strip_prefix("/api/v2/monitoramentos/processos") {
        return monitors(method, tail);
    }
    if let Some(tail) = path.strip_prefix("/api/v2/callbacks") {
        return callbacks(method, tail);
    }
    let Some(tail) = path.strip_prefix("/api/v2/processos/numero_cnj/") else {
        return (Endpoint::Other, None);
    };
    let (number, rest) = tail.split_once('/').unwrap_or((tail, ""));
    let endpoint = match (method, rest) {
        ("GET", "") => Endpoint::Cover,
        ("GET", "movimentacoes") => Endpoint::Movements,
        ("GET", "envolvidos") => Endpoint::Envolvidos,
        ("GET", "status-atualizacao") => Endpoint::Status,
        ("POST", "solicitar-atualizacao") => Endpoint::Update,
        _ => Endpoint::Other,
    };
    (endpoint, Some(number))
}

/// What stands in the place of the number is the monitor's id.
fn monitors<'a>(method: &str, tail: &'a str) -> (Endpoint, Option<&'a str>) {
    match (method, tail.strip_prefix('/')) {
        ("POST", None) if tail.is_empty() => (Endpoint::MonitorCreate, None),
        ("GET", None) if tail.is_empty() => (Endpoint::Monitors, None),
        ("GET", id @ Some(_)) => (Endpoint::Monitor, id),
        ("DELETE", id @ Some(_)) => (Endpoint::MonitorRemove, id),
        _ => (Endpoint::Other, None),
    }
}

fn callbacks<'a>(method: &str, tail: &'a str) -> (Endpoint, Option<&'a str>) {
    match (method, tail) {
        ("GET", "") => (Endpoint::Callbacks, None),
        ("POST", "/marcar-recebidos") => (Endpoint::CallbacksReceived, None),
        ("POST", _) => match tail.strip_prefix('/').and_then(|tail| tail.strip_suffix("/reenviar")) {
            Some(id) => (Endpoint::CallbackResend, Some(id)),
            None => (Endpoint::Other, None),
        },
        _ => (Endpoint::Other, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods_name_the_endpoint() {
        let base = "/api/v2/processos/numero_cnj/1";
        assert_eq!(read("GET", base), (Endpoint::Cover, Some("1")));
        assert_eq!(read("GET", &format!("{base}/movimentacoes")), (Endpoint::Movements, Some("1")));
        assert_eq!(read("POST", &format!("{base}/movimentacoes")), (Endpoint::Other, Some("1")));
        assert_eq!(read("POST", &format!("{base}/solicitar-atualizacao")), (Endpoint::Update, Some("1")));
        assert_eq!(read("GET", "/api/v1/quantidade-creditos"), (Endpoint::Credits, None));
        assert_eq!(read("POST", "/api_publica_tjsp/_search"), (Endpoint::Search, None));
        assert_eq!(read("GET", "/api_publica_tjsp/_mapping"), (Endpoint::Other, None));
        let monitors = "/api/v2/monitoramentos/processos";
        assert_eq!(read("POST", monitors), (Endpoint::MonitorCreate, None));
        assert_eq!(read("GET", monitors), (Endpoint::Monitors, None));
        assert_eq!(read("GET", &format!("{monitors}/17")), (Endpoint::Monitor, Some("17")));
        assert_eq!(read("DELETE", &format!("{monitors}/17")), (Endpoint::MonitorRemove, Some("17")));
        assert_eq!(read("DELETE", monitors), (Endpoint::Other, None));
        assert_eq!(read("GET", &format!("{monitors}-novos")), (Endpoint::Other, None));
        assert_eq!(read("GET", "/api/v2/callbacks"), (Endpoint::Callbacks, None));
        assert_eq!(read("POST", "/api/v2/callbacks/marcar-recebidos"), (Endpoint::CallbacksReceived, None));
        assert_eq!(read("POST", "/api/v2/callbacks/9/reenviar"), (Endpoint::CallbackResend, Some("9")));
        assert_eq!(read("POST", "/api/v2/callbacks/9"), (Endpoint::Other, None));
        assert_eq!(read("GET", "/api/v2/tribunais"), (Endpoint::Other, None));
        assert!(Endpoint::ALL.into_iter().all(|endpoint| Endpoint::named(endpoint.as_str()) == Some(endpoint)));
    }
}
