//! One fetch from the cover to the last page of movements.

use super::client::{Client, Question, Reply};
use super::convert::{self, ReceivedCover};
use super::pages::{Step, Walk};
use super::wire::{Movimentacao, Page, Processo};
use crate::domain::cnj::Cnj;
use crate::fetcher::account::Errand;
use crate::fetcher::messages::{Answer, Failure};
use crate::fetcher::setback::Setback;
use crate::fetcher::tally::Tally;
use crate::ledger::call::Endpoint;

/// Buys the whole process, or learns that the vendor does not know it.
///
/// # Errors
/// The [`Setback`] that ended it. What was read until then is dropped: a process with a hole in it would be served for whole.
pub(super) async fn process(
    client: &Client,
    cnj: Cnj,
    max_pages: u32,
    errand: &Errand,
    tally: &mut Tally,
) -> Result<Answer, Setback> {
    let path = path(cnj);
    let Some(cover) = cover(client, cnj, &path, errand, tally).await? else {
        return Ok(Answer::Unknown);
    };
    let may_be_empty = cover.processo.quantidade_movimentacoes.is_none_or(|declared| declared == 0);
    let movements = movements(client, Walk::new(&path, max_pages), may_be_empty, errand, tally).await?;
    Ok(Answer::Found(Box::new(convert::snapshot(cnj, cover, movements))))
}

/// The path of a process: masked, because older documentation accepts nothing else.
pub(super) fn path(cnj: Cnj) -> String {
    format!("/api/v2/processos/numero_cnj/{}", cnj.masked())
}

async fn cover(
    client: &Client,
    cnj: Cnj,
    path: &str,
    errand: &Errand,
    tally: &mut Tally,
) -> Result<Option<ReceivedCover>, Setback> {
    let question = Question { endpoint: Endpoint::Cover, path, decode: Processo::decode };
    let (processo, raw, at) = match client.get(&question, errand, tally).await? {
        Reply::Absent => return Ok(None),
        Reply::Busy(_) => return Err(Setback::lasting(Failure::Refused)),
        Reply::Found { content, raw, at } => (content, raw, at),
    };
    if convert::names_another(cnj, &processo) {
        // The vendor's own documentation answers with numbers that are wrong in themselves, so its answers are not judged by them.
        tracing::warn!(cnj = cnj.masked(), "the vendor's cover names another process");
    }
    Ok(Some(ReceivedCover { processo, raw, at }))
}

async fn movements(
    client: &Client,
    mut walk: Walk,
    may_be_empty: bool,
    errand: &Errand,
    tally: &mut Tally,
) -> Result<Vec<Movimentacao>, Setback> {
    let mut movements = Vec::new();
    let mut path = walk.first();
    loop {
        let endpoint = if walk.is_at_first() { Endpoint::Movements } else { Endpoint::MovementsNext };
        let question = Question { endpoint, path: &path, decode: Page::decode };
        let page = match client.get(&question, errand, tally).await {
            Ok(Reply::Found { content, .. }) => content,
            // A process can have a cover and no movements yet; but not when the cover counts them.
            Ok(Reply::Absent) if walk.is_at_first() && may_be_empty => return Ok(Vec::new()),
            // A page that was promised and is not there: what we have is no whole process.
            Ok(Reply::Absent) => return Err(Setback::lasting(Failure::Unreadable)),
            Ok(Reply::Busy(_)) => return Err(Setback::lasting(Failure::Refused)),
            Err(setback) if setback.failure == Failure::Refused => match walk.refused() {
                Some(instead) => {
                    path = instead;
                    continue;
                }
                None => return Err(setback),
            },
            Err(setback) => return Err(setback),
        };
        let step = walk.after(&page).map_err(Setback::lasting)?;
        movements.extend(page.items);
        match step {
            Step::Whole => return Ok(movements),
            Step::Ask(next) => path = next,
        }
    }
}
