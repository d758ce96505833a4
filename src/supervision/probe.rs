//! The one message that every child understands, and what makes an actor a child.

use std::time::Duration;

use actix::{Actor, Context, Handler, Message};

/// What the supervisor says to a child.
///
/// All but the heartbeat is sabotage: it lets the tests break any child of the real tree from inside. It is reachable only
/// through [`Supervisor::sabotage`](super::Supervisor::sabotage), that is from Rust, and must never be from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Are you there? Being handled is the answer.
    Heartbeat,
    /// Panic inside the handler.
    Panic,
    /// Block the arbiter's thread this long.
    Hang(Duration),
}

impl Message for Probe {
    type Result = ();
}

impl Probe {
    /// Does what the probe says; called by the handler that [`supervised!`](crate::supervised) writes.
    ///
    /// # Panics
    /// For `Probe::Panic`, on purpose.
    #[expect(clippy::panic, clippy::disallowed_methods, reason = "sabotage is what these two probes are for")]
    pub fn carry_out(self) {
        match self {
            Self::Heartbeat => {}
            Self::Panic => panic!("sabotaged: told to panic"),
            Self::Hang(duration) => std::thread::sleep(duration),
        }
    }
}

/// An actor that can be supervised: it has a plain context and answers [`Probe`]s.
///
/// [`supervised!`](crate::supervised) is all that is needed to become one.
pub trait Child: Actor<Context = Context<Self>> + Handler<Probe> {}

impl<A: Actor<Context = Context<A>> + Handler<Probe>> Child for A {}

/// Makes an actor a [`Child`](crate::supervision::Child): `supervised!(RedisTier);`
#[macro_export]
macro_rules! supervised {
    ($actor:ty) => {
        impl ::actix::Handler<$crate::supervision::Probe> for $actor {
            type Result = ();

            fn handle(&mut self, probe: $crate::supervision::Probe, _: &mut Self::Context) {
                probe.carry_out();
            }
        }
    };
}
