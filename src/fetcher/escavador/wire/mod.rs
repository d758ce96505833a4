//! The vendor's JSON, read leniently.
//!
//! The documentation, its examples and measured answers disagree on types and on what may be null, so nothing but the outermost shape is
//! insisted on: a field of an unexpected type counts as absent, unknown keys are ignored. What is not used here (parties, `capa`,
//! hearings) is not read at all: the cover is kept as it came.

pub(super) mod callback;
mod error;
mod lenient;
pub(super) mod monitor;
mod movement;
mod process;
pub(super) mod update;

pub(super) use error::ErrorBody;
pub(super) use lenient::instant;
pub(super) use movement::{Classificacao, Fonte, Movimentacao, Page};
pub(super) use process::{Processo, ProcessoFonte};

use crate::fetcher::lenient::WrongShape;

#[cfg(test)]
mod tests;
