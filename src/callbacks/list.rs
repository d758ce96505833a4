//! What was missed: the vendor keeps a list of its callbacks, and what is on it and not with us is taken in as if it had been delivered.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::clerk::Clerk;
use super::intake::Via;
use crate::fetcher::Fetcher;
use crate::fetcher::callback_messages::ReadCallbacks;
use crate::fetcher::messages::{Failure, FetchError};
use crate::postgres_tier::callbacks::reading_messages::{BeginReading, HurryReading, NoteReading, Progress, Reading};
use crate::postgres_tier::messages::PostgresError;
use crate::resilience::Deadline;
use crate::supervision::ActorRef;

/// Whoever reads the vendor's list of callbacks. Free, and counted as every request is.
pub trait CallbackList: Send + Sync {
    /// One page, from 1, of the callbacks created since then.
    fn page(
        &self,
        since: DateTime<Utc>,
        page: u32,
        deadline: Deadline,
    ) -> BoxFuture<'_, Result<ListedPage, FetchError>>;
}

/// One page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPage {
    /// What was, or should have been, delivered: JSON.
    pub payloads: Vec<Bytes>,
    /// There are no more pages.
    pub is_last: bool,
}

impl CallbackList for ActorRef<Fetcher> {
    fn page(
        &self,
        since: DateTime<Utc>,
        page: u32,
        deadline: Deadline,
    ) -> BoxFuture<'_, Result<ListedPage, FetchError>> {
        let no_answer = |_| FetchError { failure: Failure::TimedOut, retry_after: None, cost_centavos: 0 };
        async move {
            let read = self.ask_again(ReadCallbacks { since, page, deadline }, deadline).await.map_err(no_answer)??;
            let payloads = read.items.into_iter().map(|item| Bytes::from(item.payload)).collect();
            Ok(ListedPage { payloads, is_last: !read.more })
        }
        .boxed()
    }
}

/// How a turn of reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// There is nothing more.
    Complete,
    /// It goes on after this.
    CutOff(Duration),
    /// Another node reads by now.
    Lost,
}

impl Clerk {
    /// Reads the list at the start, regularly, and soon after something could not be stored. For ever.
    pub(super) async fn follow_list(&self) {
        if self.around.list.is_none() {
            return;
        }
        // At the start: callbacks may have come while nobody was here.
        let mut wish = Some(Duration::ZERO);
        loop {
            if let Some(within) = wish
                && self.hurry(within).await.is_ok()
            {
                wish = None;
            }
            self.read_list().await;
            tokio::select! {
                () = self.around.intake.bells().missed.notified() => wish = Some(self.settings.list_soon),
                () = sleep(self.settings.list_look_every) => {}
            }
        }
    }

    async fn hurry(&self, within: Duration) -> Result<(), PostgresError> {
        self.around.postgres.ask_again(HurryReading { within }, self.soon()).await?
    }

    /// Reads some pages, if a reading is due and nobody else reads.
    async fn read_list(&self) {
        let begin = BeginReading {
            lease: self.settings.list_lease(),
            every: self.settings.list_every,
            overlap: self.settings.overlap,
            look_back: self.settings.look_back,
        };
        let reading = match self.around.postgres.ask(begin, self.soon()).await.map_err(PostgresError::from) {
            Ok(Ok(Some(reading))) => reading,
            Ok(Ok(None)) => return,
            Ok(Err(error)) | Err(error) => {
                tracing::debug!(error = error.as_str(), "whether the vendor's callback list is due is not known");
                return;
            }
        };
        let progress = match self.read_pages(reading).await {
            Turn::Complete => Progress::Complete,
            Turn::CutOff(again_in) => Progress::CutOff { again_in },
            Turn::Lost => return,
        };
        tracing::debug!(since = %reading.since, from_page = reading.page, ?progress, "the vendor's callback list was read");
        let _the_lease_ends_otherwise = self.note(reading.epoch, progress).await;
    }

    async fn read_pages(&self, reading: Reading) -> Turn {
        let Some(list) = &self.around.list else {
            return Turn::Complete;
        };
        let end = reading.page.saturating_add(self.settings.pages_a_turn.max(1));
        for page in reading.page..end {
            let listed = match list.page(reading.since, page, self.within(self.settings.page_within)).await {
                Ok(listed) => listed,
                Err(error) => {
                    tracing::info!(%error, page, "the vendor's callback list cannot be read now");
                    return Turn::CutOff(error.retry_after.unwrap_or_default().max(self.settings.list_retry));
                }
            };
            for body in listed.payloads {
                if self.around.intake.take(body, Via::List).await.is_err() {
                    return Turn::CutOff(self.settings.list_soon);
                }
            }
            if listed.is_last {
                return Turn::Complete;
            }
            if page >= self.settings.last_page {
                tracing::warn!(page, since = %reading.since, "the vendor's callback list does not end; what is older may be missing");
                return Turn::Complete;
            }
            let progress = Progress::Page { next: page.saturating_add(1), lease: self.settings.list_lease() };
            if !matches!(self.note(reading.epoch, progress).await, Ok(true)) {
                return Turn::Lost;
            }
        }
        Turn::CutOff(self.settings.list_soon)
    }

    async fn note(&self, epoch: i64, progress: Progress) -> Result<bool, PostgresError> {
        self.around.postgres.ask_again(NoteReading { epoch, progress }, self.soon()).await?
    }
}
