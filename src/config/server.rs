//! `JUSCACHE_LISTEN`, `JUSCACHE_ALLOW_ANONYMOUS`, `JUSCACHE_LOG_FORMAT`.

use std::net::{Ipv4Addr, SocketAddr};

use super::reader::Reader;

/// Where the service listens and how it speaks to its operator.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// HTTP workers.
    pub workers: usize,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl ServerSettings {
    /// Reads the variables. Without client keys whoever reaches the port may spend credits, so an address that others reach
    /// has to be wanted explicitly.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let listen = reader.address("JUSCACHE_LISTEN", SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)));
        let anonymous = reader.flag("JUSCACHE_ALLOW_ANONYMOUS", false);
        if !listen.ip().is_loopback() && !anonymous {
            reader.refuse(
                "JUSCACHE_LISTEN",
                format!(
                    "`{listen}` can be reached by others, and no client key exists: anyone could spend your credits. \
                     Listen on 127.0.0.1, or set JUSCACHE_ALLOW_ANONYMOUS=true if a proxy in front checks who asks"
                ),
            );
        }
        let log_format = reader.word(
            "JUSCACHE_LOG_FORMAT",
            LogFormat::Text,
            &[("text", LogFormat::Text), ("json", LogFormat::Json)],
        );
        Self { listen, workers: std::thread::available_parallelism().map_or(1, std::num::NonZero::get), log_format }
    }
}
