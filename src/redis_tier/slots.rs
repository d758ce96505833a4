//! The slots of one vendor's account, shared by all nodes: what is asked of Redis, and the script that decides.

use std::time::Duration;

use actix::Message;
use redis::{RedisResult, Script};

use super::connection::Connection;
use super::keys;
use crate::ledger::call::Id;

/// Asks for permission to send one request, or only to be counted as a node: one round trip, decided by one script by Redis' own
/// clock. All times are microseconds. See `fetcher::pace` for who asks what, and why that keeps the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "Result<Slot, super::messages::RedisError>")]
pub struct TakeSlot {
    /// Whose account it is: the vendor's word.
    pub account: &'static str,
    /// The node that asks.
    pub node: Id,
    /// How much earlier than evenly spread the request may come (less than nothing: only after a rest); `None` asks for no slot.
    pub tolerance: Option<i64>,
    /// Between two requests of all nodes together.
    pub interval: i64,
    /// What a bucket of which nothing is known owes.
    pub burst_time: i64,
    /// The vendor's window: what is remembered is remembered for that much longer than needed.
    pub window: i64,
    /// A node that was not heard of for this long may be living on its own share, which is kept free for it …
    pub silent_after: i64,
    /// … until it was not heard of for this long.
    pub forget_after: i64,
    /// How many nodes there were when this one last heard of it, itself included; zero if never. Those that a Redis which lost its
    /// memory does not know of count as silent.
    pub believed_nodes: u32,
    /// It has sent requests by its own share since it last had an answer.
    pub used_share: bool,
    /// The node ends: it is counted no more, whatever it asks.
    pub leaving: bool,
    /// How long until the next request is due, as far as this node was told and time has passed since; less than nothing if it is
    /// due, or was never told. A Redis that lost its memory, or a replica that took over, may know less.
    pub owed: i64,
}

/// What Redis says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// `None`: the slot is yours, or none was asked for. Otherwise how long until it makes sense to ask again.
    pub wait: Option<Duration>,
    /// Nodes known, the silent ones included.
    pub nodes: u32,
    /// Microseconds until the next request is due; less than nothing if it is due.
    pub owed: i64,
}

/// `KEYS`: when the next request is due; the nodes, with when each was last heard of.
const TAKE_SLOT: &str = r"
local due_key, nodes_key = KEYS[1], KEYS[2]
local node = ARGV[1]
local wanted, tolerance = ARGV[2] == '1', tonumber(ARGV[3])
local interval, burst_time, window = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local silent_after, forget_after = tonumber(ARGV[7]), tonumber(ARGV[8])
local believed, used_share, leaving = tonumber(ARGV[9]), ARGV[10] == '1', ARGV[11] == '1'
local owed = tonumber(ARGV[12])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local text = function(number) return string.format('%.0f', number) end

-- Heard of in the future: the clock was set back. They are heard of now.
local ahead = redis.call('ZRANGEBYSCORE', nodes_key, text(now + 1000000), '+inf')
for _, member in ipairs(ahead) do
  redis.call('ZADD', nodes_key, text(now), member)
end
redis.call('ZREMRANGEBYSCORE', nodes_key, '-inf', text(now - forget_after))
local stranger = not redis.call('ZSCORE', nodes_key, node)
if leaving then
  redis.call('ZREM', nodes_key, node)
else
  redis.call('ZADD', nodes_key, text(now), node)
end
if stranger and believed > 0 and not leaving then
  -- It was counted before: Redis lost its memory. One of the nodes that are missed is found, others may be missed still.
  for _, member in ipairs(redis.call('ZRANGE', nodes_key, 0, -1)) do
    if string.sub(member, 1, 1) == '?' then
      redis.call('ZREM', nodes_key, member)
      break
    end
  end
  local missed = believed - redis.call('ZCARD', nodes_key)
  for number = 1, missed do
    redis.call('ZADD', nodes_key, text(now - silent_after - 1), '?' .. number .. ':' .. node)
  end
end
local nodes = redis.call('ZCARD', nodes_key)
local silent = redis.call('ZCOUNT', nodes_key, '-inf', '(' .. text(now - silent_after))
local spread = interval
if silent > 0 then
  spread = math.min(math.ceil(interval * nodes / math.max(nodes - silent, 1)), forget_after)
end

-- Nothing is known, or it cannot be right: as if the burst had just been used up.
local owing = now + burst_time
local due = tonumber(redis.call('GET', due_key))
if not due or #ahead > 0 or due > owing + forget_after then due = owing end
due = math.max(due, now + math.min(owed, forget_after))
if used_share then due = math.max(due, owing) + interval end

local granted, wait = 0, 0
if wanted then
  wait = due - tolerance - now
  if wait <= 0 then
    granted, wait = 1, 0
    due = math.max(due, now) + spread
  end
end
local keep = text(math.ceil((forget_after + window) / 1000))
redis.call('SET', due_key, text(due), 'PX', keep)
redis.call('PEXPIRE', nodes_key, keep)
return {granted, wait, nodes, due - now}
";

/// The script, hashed.
pub(super) fn script() -> Script {
    Script::new(TAKE_SLOT)
}

/// Carries it out.
pub(super) async fn take(connection: &mut Connection, script: &Script, ask: &TakeSlot) -> RedisResult<Slot> {
    let (due_key, nodes_key) = (keys::due(ask.account), keys::nodes(ask.account));
    let (granted, wait, nodes, owed): (u8, u64, u32, i64) = script
        .key(due_key)
        .key(nodes_key)
        .arg(ask.node.to_string())
        .arg(u8::from(ask.tolerance.is_some()))
        .arg(ask.tolerance.unwrap_or(0))
        .arg(ask.interval)
        .arg(ask.burst_time)
        .arg(ask.window)
        .arg(ask.silent_after)
        .arg(ask.forget_after)
        .arg(ask.believed_nodes)
        .arg(u8::from(ask.used_share))
        .arg(u8::from(ask.leaving))
        .arg(ask.owed)
        .invoke_async(connection)
        .await?;
    let refused = ask.tolerance.is_some() && granted == 0;
    Ok(Slot { wait: refused.then(|| Duration::from_micros(wait.max(1))), nodes, owed })
}
