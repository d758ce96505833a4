//! What only whoever runs the service may see, all behind one [`door`].

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::{read, unknown_page};
use crate::http::admin::door;

pub mod callbacks;
pub mod cleanup;
pub mod ledger;
pub mod sync;
pub mod warm;
pub mod watch;
pub mod webhooks;

/// Adds the admin pages. The door stands before the list of them.
pub(super) fn mount(config: &mut ServiceConfig) {
    config.service(
        web::scope("/api/v1/admin")
            .wrap(from_fn(door))
            .service(read("/callbacks", web::to(callbacks::page)))
            .service(read("/ledger", web::to(ledger::page)))
            .configure(webhooks::mount)
            .service(read("/watch", web::to(watch::list)))
            .service(watch::one("/watch/{cnj:.*}"))
            .service(warm::lists_page("/warm"))
            .service(warm::list_page("/warm/{id}"))
            .service(sync::page("/sync"))
            .service(read("/sync/runs", web::to(sync::runs)))
            .service(cleanup::page("/cleanup"))
            .default_service(web::to(unknown_page)),
    );
}
