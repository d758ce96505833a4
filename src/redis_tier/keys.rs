//! How things are named in Redis.

use crate::domain::cnj::Cnj;

/// `juscache:process:{20 digits}`. The braces are a cluster's hash tag, so that whatever else is kept of a process one day
/// lives on the same node. The format is in the envelope, not in the key: a newer format replaces an older one in place.
#[must_use]
pub fn process(cnj: &Cnj) -> String {
    let mut key = String::with_capacity(40);
    key.push_str("juscache:process:{");
    key.push_str(cnj.digits());
    key.push('}');
    key
}

/// `juscache:pace:{escavador}`: when the next request to a vendor is due.
#[must_use]
pub fn due(account: &str) -> String {
    format!("juscache:pace:{{{account}}}")
}

/// `juscache:pace:{escavador}:nodes`: who sends requests to that vendor. The same hash tag, because one script uses both.
#[must_use]
pub fn nodes(account: &str) -> String {
    format!("juscache:pace:{{{account}}}:nodes")
}
