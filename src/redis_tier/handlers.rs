//! The mailbox of the Redis tier.

use std::rc::Rc;

use actix::{Handler, ResponseFuture};

use super::actor::RedisTier;
use super::messages::{Read, RedisError, Remove, Write, Written};
use super::slots::{Slot, TakeSlot};
use super::{commands, keys, slots};

impl Handler<Read> for RedisTier {
    type Result = ResponseFuture<Result<Option<bytes::Bytes>, RedisError>>;

    fn handle(&mut self, read: Read, _: &mut Self::Context) -> Self::Result {
        let link = self.link.clone();
        Box::pin(async move {
            let key = keys::process(&read.cnj);
            let link = link.ok_or(RedisError::Away)?;
            link.run(|mut connection| async move { commands::get(&mut connection, &key).await }).await
        })
    }
}

impl Handler<Write> for RedisTier {
    type Result = ResponseFuture<Result<Written, RedisError>>;

    fn handle(&mut self, write: Write, _: &mut Self::Context) -> Self::Result {
        let (link, scripts) = (self.link.clone(), Rc::clone(&self.scripts));
        Box::pin(async move {
            let key = keys::process(&write.cnj);
            let link = link.ok_or(RedisError::Away)?;
            if write.envelope.len() > link.max_value() {
                return Ok(Written::TooLarge);
            }
            link.run(|mut connection| async move {
                commands::set_if_newer(&mut connection, &scripts, &key, &write.envelope, write.ttl).await
            })
            .await
        })
    }
}

impl Handler<Remove> for RedisTier {
    type Result = ResponseFuture<Result<(), RedisError>>;

    fn handle(&mut self, remove: Remove, _: &mut Self::Context) -> Self::Result {
        let link = self.link.clone();
        Box::pin(async move {
            let key = keys::process(&remove.cnj);
            let link = link.ok_or(RedisError::Away)?;
            link.run(|mut connection| async move { commands::remove(&mut connection, &key).await }).await
        })
    }
}

impl Handler<TakeSlot> for RedisTier {
    type Result = ResponseFuture<Result<Slot, RedisError>>;

    fn handle(&mut self, ask: TakeSlot, _: &mut Self::Context) -> Self::Result {
        let (link, scripts) = (self.link.clone(), Rc::clone(&self.scripts));
        Box::pin(async move {
            let link = link.ok_or(RedisError::Away)?;
            link.run(|mut connection| async move { slots::take(&mut connection, &scripts.take_slot, &ask).await }).await
        })
    }
}
