//! What only whoever runs the service may see, all behind one [`door`].

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::{read, unknown_page};
use crate::http::admin::door;

pub mod callbacks;
pub mod ledger;
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
            .service(warm::lists_page("/warm"))
            .service(warm::list_page("/warm/{id}"))
            .configure(webhooks::mount)
            .service(read("/watch", web::to(watch::list)))
            .service(watch::one("/watch/{cnj:.*}"))
            .default_service(web::to(unknown_page)),
    );
}
