//! The actor's identity and life.

use std::rc::Rc;

use actix::{Actor, Context};

use super::clerk::{Clerk, Surroundings};
use crate::config::callbacks::CallbackSettings;
use crate::supervised;
use crate::supervision::spawn::detach_named;

/// Works off the vendor's callbacks. Nobody asks it anything: what it works on is in PostgreSQL, whichever node received it, and nothing
/// is lost with it.
pub struct Callbacks {
    clerk: Rc<Clerk>,
}

impl Callbacks {
    /// One generation.
    #[must_use]
    pub fn new(settings: CallbackSettings, around: Surroundings) -> Self {
        Self { clerk: Rc::new(Clerk::new(settings, around)) }
    }
}

impl Actor for Callbacks {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let [work, list, prune] = [(); 3].map(|()| Rc::clone(&self.clerk));
        detach_named("callbacks work", async move { work.work().await });
        detach_named("callbacks list", async move { list.follow_list().await });
        detach_named("callbacks prune", async move { prune.prune().await });
    }
}

supervised!(Callbacks);
