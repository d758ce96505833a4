//! DataJud's JSON, read leniently.
//!
//! The service is an Elasticsearch index that ninety-one courts fill each in its own way, so nothing is insisted on but what keeps a
//! process whole: the list of hits, each hit's number, each movement being an object. A field of an unexpected type counts as absent.

mod answer;
mod error;
mod lenient;
mod moment;
mod process;

pub(super) use answer::{Answer, Hit};
pub(super) use error::ErrorBody;
pub(super) use moment::Moment;
pub(super) use process::{Complement, Movement};

use crate::fetcher::lenient::WrongShape;

#[cfg(test)]
pub(super) mod tests;
