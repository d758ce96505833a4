//! What is sent to Redis.

use std::time::Duration;

use bytes::Bytes;
use redis::{RedisResult, Script, cmd};

use super::connection::Connection;
use super::messages::Written;
use super::slots;

/// Writes only what is newer. Bytes 9..24 of an envelope (counting from 1, as Lua does: 9 to 24) are its version and compare
/// as text; whatever does not begin like an envelope has no version and gives way.
const WRITE_IF_NEWER: &str = r"
local held = redis.call('GETRANGE', KEYS[1], 0, 23)
if string.sub(held, 1, 4) == 'JUSC' and string.sub(held, 9, 24) > string.sub(ARGV[1], 9, 24) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
";

/// The scripts, hashed once.
pub(super) struct Scripts {
    write_if_newer: Script,
    pub(super) take_slot: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self { write_if_newer: Script::new(WRITE_IF_NEWER), take_slot: slots::script() }
    }
}

/// A key of another type is no envelope: it reads as one that must be replaced.
pub(super) async fn get(connection: &mut Connection, key: &str) -> RedisResult<Option<Bytes>> {
    match cmd("GET").arg(key).query_async(connection).await {
        Err(error) if error.code() == Some("WRONGTYPE") => Ok(Some(Bytes::new())),
        answer => answer,
    }
}

pub(super) async fn set_if_newer(
    connection: &mut Connection,
    scripts: &Scripts,
    key: &str,
    envelope: &[u8],
    ttl: Duration,
) -> RedisResult<Written> {
    let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
    let stored: i64 = scripts.write_if_newer.key(key).arg(envelope).arg(ttl_ms).invoke_async(connection).await?;
    Ok(if stored == 1 { Written::Stored } else { Written::Outdated })
}

pub(super) async fn remove(connection: &mut Connection, key: &str) -> RedisResult<()> {
    cmd("DEL").arg(key).query_async(connection).await
}

pub(super) async fn ping(connection: &mut Connection) -> RedisResult<()> {
    cmd("PING").query_async(connection).await
}
