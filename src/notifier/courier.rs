//! Makes the deliveries that are due: takes them, sends them, writes down how it ended. Any node does; one that dies leaves its
//! deliveries to the others when their lease ends.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::feed::Feed;
use super::frame;
use super::log::EventLog;
use super::postman::{Letter, Outcome, Postman};
use super::schedule;
use super::signature;
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::notifier::NotifierSettings;
use crate::domain::event::Event;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::bell::NewsBell;
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::webhooks::messages::{ClaimDeliveries, Claimed, Ending, SettleDelivery};
use crate::resilience::Deadline;
use crate::supervision::ActorRef;
use crate::supervision::spawn::detach_to_finish;
use crate::telemetry::Metrics;

/// How often the end of an attempt is written down again when PostgreSQL does not answer. After that the lease ends, and the delivery is
/// made again under the same id.
const SETTLE_TRIES: u32 = 3;

/// The pause before that.
const SETTLE_PAUSE: Duration = Duration::from_secs(1);

/// What a courier is made of; see the notifier's parts.
pub(super) struct Courier {
    pub(super) postgres: ActorRef<PostgresTier>,
    pub(super) log: Arc<dyn EventLog>,
    pub(super) postman: Postman,
    pub(super) settings: NotifierSettings,
    pub(super) clock: SharedClock,
    pub(super) random: SharedRandom,
    pub(super) metrics: Metrics,
    pub(super) in_flight: Cell<usize>,
    /// A delivery is over: there is a place, and perhaps another one due.
    pub(super) finished: Notify,
}

impl Courier {
    /// Delivers what is due, for ever; nothing new once the service stops.
    pub(super) async fn run(self: Rc<Self>, bell: &NewsBell, feed: &Feed) {
        let mut rings = bell.listen();
        loop {
            let places = self.settings.most_deliveries.saturating_sub(self.in_flight.get());
            let claimed = if places == 0 { Vec::new() } else { self.claim(places).await };
            for delivery in claimed {
                self.start(delivery);
            }
            tokio::select! {
                () = feed.closed() => return,
                rung = rings.changed() => if rung.is_err() { sleep(self.settings.deliver_every).await },
                () = self.finished.notified() => {}
                () = sleep(self.settings.deliver_every) => {}
            }
        }
    }

    async fn claim(&self, most: usize) -> Vec<Claimed> {
        let NotifierSettings { most_each, lease, .. } = self.settings;
        let claim = ClaimDeliveries { most, each: most_each, hold_after: schedule::HOLD_AFTER, lease };
        let claimed = match self.postgres.ask(claim, self.soon()).await {
            Ok(claimed) => claimed,
            Err(error) => Err(error.into()),
        };
        claimed.unwrap_or_else(|error| {
            tracing::debug!(error = error.as_str(), "no deliveries can be taken now");
            Vec::new()
        })
    }

    fn start(self: &Rc<Self>, delivery: Claimed) {
        self.in_flight.set(self.in_flight.get().saturating_add(1));
        let place = Place(Rc::clone(self));
        detach_to_finish("webhook delivery", async move {
            place.0.deliver(&delivery).await;
            drop(place);
        });
    }

    async fn deliver(&self, delivery: &Claimed) {
        let event = match self.event(delivery).await {
            Ok(event) => event,
            // Not tried: the lease ends by itself.
            Err(_away) => return,
        };
        let ending = match event {
            // Under secrecy since, or erased: there is nothing to tell any more.
            None => {
                self.metrics.count_delivery("withdrawn");
                Ending::Withdrawn
            }
            Some(event) => {
                let id = signature::message_id(delivery.event_id, &delivery.subscriber);
                let letter = Letter {
                    id: &id,
                    url: &delivery.url,
                    secret: &delivery.secret,
                    timestamp: self.clock.now().timestamp(),
                    body: frame::letter(&event),
                };
                let outcome = self.postman.send(letter).await;
                let ending = judge(outcome, delivery.attempt, delivery.failures, self.random.fraction());
                self.note(delivery, outcome, ending);
                ending
            }
        };
        self.settle(SettleDelivery { id: delivery.id, attempt: delivery.attempt, ending }).await;
    }

    async fn event(&self, delivery: &Claimed) -> Result<Option<Event>, PostgresError> {
        let after = delivery.event_id.saturating_sub(1);
        let page = self.log.read(after, Some(delivery.cnj), 1).await?;
        Ok(page.into_iter().find(|event| event.id == delivery.event_id && !event.sealed))
    }

    async fn settle(&self, settle: SettleDelivery) {
        for last in 1..=SETTLE_TRIES {
            let settled = self.postgres.ask_again(settle.clone(), self.soon()).await.map_err(PostgresError::from);
            match settled.and_then(|settled| settled) {
                Ok(()) => return,
                Err(error) if last == SETTLE_TRIES => {
                    tracing::warn!(
                        error = error.as_str(),
                        "how a webhook's delivery ended is not written down; it is repeated"
                    );
                }
                Err(_away) => sleep(SETTLE_PAUSE).await,
            }
        }
    }

    fn note(&self, delivery: &Claimed, outcome: Outcome, ending: Ending) {
        self.metrics.count_delivery(outcome.as_str());
        let dead = matches!(ending, Ending::Failed { retry_in: None, .. });
        if dead || matches!(ending, Ending::Gone { .. }) {
            tracing::warn!(
                subscriber = delivery.subscriber,
                event = delivery.event_id,
                outcome = outcome.as_str(),
                "a webhook's delivery is given up"
            );
        }
    }

    fn soon(&self) -> Deadline {
        Deadline::after(self.clock.monotonic(), self.settings.patience)
    }
}

/// A delivery's place among those on their way, given back however it ends.
struct Place(Rc<Courier>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get().saturating_sub(1));
        self.0.finished.notify_one();
    }
}

/// What follows from an attempt: the number `attempt` of its delivery, after so many failures in a row of its subscriber.
fn judge(outcome: Outcome, attempt: u32, failures: u32, fraction: f64) -> Ending {
    match outcome {
        Outcome::Taken(status) => Ending::Delivered { status },
        Outcome::Gone(status) => Ending::Gone { status },
        failed => Ending::Failed {
            status: failed.status(),
            error: failed.as_str(),
            retry_in: schedule::next_attempt(attempt, fraction),
            hold_for: schedule::hold(failures.saturating_add(1), fraction),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_delivered_410_ends_it_and_all_else_is_tried_again_until_it_is_dead() {
        assert_eq!(judge(Outcome::Taken(204), 5, 9, 0.0), Ending::Delivered { status: 204 });
        assert_eq!(judge(Outcome::Gone(410), 1, 0, 0.0), Ending::Gone { status: 410 });
        let seconds = Duration::from_secs;
        for (outcome, attempt, failures, retry_in, hold_for) in [
            (Outcome::Redirected(307), 1, 0, Some(seconds(5)), None),
            (Outcome::Refused(500), 2, 1, Some(seconds(60)), None),
            (Outcome::TimedOut, 3, 2, Some(seconds(300)), Some(seconds(5))),
            (Outcome::Unreachable, 1, 3, Some(seconds(5)), Some(seconds(60))),
            (Outcome::Forbidden, 12, 50, None, Some(seconds(900))),
        ] {
            let expected = Ending::Failed { status: outcome.status(), error: outcome.as_str(), retry_in, hold_for };
            assert_eq!(judge(outcome, attempt, failures, 0.0), expected);
        }
    }
}
