//! The metrics registry. One for each service, never a global one, so that two services in one process (as in tests) do not
//! count each other's events.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::ledger::avoided::AvoidedBy;

/// Labels of one lookup.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LookupLabels {
    /// `ServedFrom`, or `none` when there was no answer.
    pub source: &'static str,
    /// `fresh`, a `StaleReason`, or a problem's slug.
    pub outcome: &'static str,
}

/// Labels of one request to a vendor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct UpstreamLabels {
    /// `escavador` or `datajud`.
    pub provider: &'static str,
    /// `cover`, `movements`, …
    pub endpoint: &'static str,
    /// `ok`, `unknown`, or a `Failure`.
    pub outcome: &'static str,
}

/// One label: the lane of a paid call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LaneLabel {
    /// `interactive` or `background`.
    pub lane: &'static str,
}

/// One label: an actor's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ActorLabel {
    /// As the supervisor names it.
    pub actor: String,
}

/// One label: a tier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TierLabel {
    /// `redis`, `postgres` or `upstream`; for what was avoided, an `AvoidedBy`.
    pub tier: &'static str,
}

/// Labels of an unreadable copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CorruptLabels {
    /// Where it was.
    pub tier: &'static str,
    /// A `CodecError`.
    pub cause: &'static str,
}

/// One label: where an answer came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SourceLabel {
    /// `ServedFrom`.
    pub source: &'static str,
}

/// One label: what a cap is counted over.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PeriodLabel {
    /// `day` or `month`.
    pub period: &'static str,
}

/// Why a vendor is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HoldLabels {
    /// `escavador` or `datajud`.
    pub provider: &'static str,
    /// The fetcher's word for it.
    pub reason: &'static str,
}

/// One label: what came of something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// The word for it.
    pub outcome: &'static str,
}

/// Labels of one callback of a vendor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallbackLabels {
    /// The vendor's name of a known event, `other`, or `none` where none can be read or was looked at.
    pub event: &'static str,
    /// What became of it.
    pub outcome: &'static str,
}

/// What one tier avoided, looked up once and for all.
#[derive(Debug, Clone)]
pub struct AvoidedCounters {
    /// Lookups that it answered instead of a purchase.
    pub lookups: Counter,
    /// What they would have cost, in centavos.
    pub centavos: Counter,
}

/// The counters of every tier: counting one is an atomic increment, without a look into a family.
#[derive(Debug, Clone)]
struct AvoidedByTier {
    memory: AvoidedCounters,
    redis: AvoidedCounters,
    database: AvoidedCounters,
    coalesced: AvoidedCounters,
    confirmed: AvoidedCounters,
}

/// Everything that is counted. Cloning shares the counters.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// `juscache_lookups_total{source,outcome}`.
    pub lookups: Family<LookupLabels, Counter>,
    /// `juscache_lookup_seconds{source}`.
    pub lookup_seconds: Family<SourceLabel, Histogram, fn() -> Histogram>,
    /// `juscache_served_age_seconds`: how long ago what was served had been fetched.
    pub served_age_seconds: Histogram,
    /// `juscache_upstream_requests_total{provider,endpoint,outcome}`.
    pub upstream_requests: Family<UpstreamLabels, Counter>,
    /// `juscache_upstream_cost_centavos_total{lane}`.
    pub upstream_cost: Family<LaneLabel, Counter>,
    /// `juscache_upstream_calls_avoided_total`: lookups answered without a request to the vendor.
    pub calls_avoided: Counter,
    /// `juscache_avoided_lookups_total{tier}`; counted through [`Metrics::avoided`].
    pub avoided_lookups: Family<TierLabel, Counter>,
    /// `juscache_avoided_centavos_total{tier}`; counted through [`Metrics::avoided`].
    pub avoided_centavos: Family<TierLabel, Counter>,
    avoided: AvoidedByTier,
    /// `juscache_ledger_pending`: ledger entries that wait for PostgreSQL.
    pub ledger_pending: Gauge,
    /// `juscache_budget_left_centavos{period}`; absent while no cap is set.
    pub budget_left_centavos: Family<PeriodLabel, Gauge>,
    /// `juscache_upstream_in_flight_limit`: requests to the vendor that may be in flight at once, as of now.
    pub upstream_in_flight_limit: Gauge,
    /// `juscache_upstream_hold{provider,reason}`: 1 while the vendor is not asked for this reason.
    pub upstream_hold: Family<HoldLabels, Gauge>,
    /// `juscache_actor_restarts_total{actor}`.
    pub actor_restarts: Family<ActorLabel, Counter>,
    /// `juscache_actor_in_flight{actor}`.
    pub actor_in_flight: Family<ActorLabel, Gauge>,
    /// `juscache_tier_up{tier}`: 1 or 0.
    pub tier_up: Family<TierLabel, Gauge>,
    /// `juscache_corrupt_copies_total{tier,cause}`.
    pub corrupt_copies: Family<CorruptLabels, Counter>,
    /// `juscache_journal_pending`: paid answers that wait for PostgreSQL.
    pub journal_pending: Gauge,
    /// `juscache_event_streams`: streams of news that are open.
    pub event_streams: Gauge,
    /// `juscache_events_sent_total`: events written to streams.
    pub events_sent: Counter,
    /// `juscache_webhook_deliveries_total{outcome}`: attempts to deliver, by what came of them.
    pub webhook_deliveries: Family<OutcomeLabel, Counter>,
    /// `juscache_webhook_pending`: deliveries to be made, of all nodes.
    pub webhook_pending: Gauge,
    /// `juscache_webhook_dead`: deliveries that were given up, of all nodes.
    pub webhook_dead: Gauge,
    /// `juscache_callbacks_total{event,outcome}`: what arrived at our door; counted through [`Metrics::count_callback`].
    pub callbacks: Family<CallbackLabels, Counter>,
    /// `juscache_callback_effects_total{event,outcome}`: what came of each attempt to work one off.
    pub callback_effects: Family<CallbackLabels, Counter>,
    registry: Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Fresh counters, all at zero.
    #[must_use]
    pub fn new() -> Self {
        let (avoided_lookups, avoided_centavos) = (Family::default(), Family::default());
        let mut metrics = Self {
            avoided: AvoidedByTier::of(&avoided_lookups, &avoided_centavos),
            avoided_lookups,
            avoided_centavos,
            ledger_pending: Gauge::default(),
            budget_left_centavos: Family::default(),
            upstream_in_flight_limit: Gauge::default(),
            upstream_hold: Family::default(),
            lookups: Family::default(),
            lookup_seconds: Family::new_with_constructor(latency_buckets),
            served_age_seconds: age_buckets(),
            upstream_requests: Family::default(),
            upstream_cost: Family::default(),
            calls_avoided: Counter::default(),
            actor_restarts: Family::default(),
            actor_in_flight: Family::default(),
            tier_up: Family::default(),
            corrupt_copies: Family::default(),
            journal_pending: Gauge::default(),
            event_streams: Gauge::default(),
            events_sent: Counter::default(),
            webhook_deliveries: Family::default(),
            webhook_pending: Gauge::default(),
            webhook_dead: Gauge::default(),
            callbacks: Family::default(),
            callback_effects: Family::default(),
            registry: Arc::default(),
        };
        let mut registry = Registry::with_prefix("juscache");
        registry.register("lookups", "Lookups answered, by source and outcome", metrics.lookups.clone());
        registry.register("lookup_seconds", "Time to answer a lookup", metrics.lookup_seconds.clone());
        registry.register("served_age_seconds", "Age of what was served", metrics.served_age_seconds.clone());
        registry.register("upstream_requests", "Requests sent to vendors", metrics.upstream_requests.clone());
        registry.register("upstream_cost_centavos", "Centavos charged by vendors", metrics.upstream_cost.clone());
        registry.register("upstream_calls_avoided", "Lookups that cost nothing", metrics.calls_avoided.clone());
        registry.register("avoided_lookups", "Lookups that bought nothing, by whom", metrics.avoided_lookups.clone());
        registry.register("avoided_centavos", "What these would have cost", metrics.avoided_centavos.clone());
        registry.register("ledger_pending", "Ledger entries that wait for PostgreSQL", metrics.ledger_pending.clone());
        registry.register(
            "budget_left_centavos",
            "What may still be spent of each cap",
            metrics.budget_left_centavos.clone(),
        );
        registry.register(
            "upstream_in_flight_limit",
            "Requests to the vendor allowed at once",
            metrics.upstream_in_flight_limit.clone(),
        );
        registry.register("upstream_hold", "Whether a vendor is not asked, and why", metrics.upstream_hold.clone());
        registry.register("actor_restarts", "Actors replaced after a panic or a hang", metrics.actor_restarts.clone());
        registry.register("actor_in_flight", "Messages an actor is working on", metrics.actor_in_flight.clone());
        registry.register("tier_up", "Whether a tier answers", metrics.tier_up.clone());
        registry.register(
            "corrupt_copies",
            "Copies whose checksum or content was wrong",
            metrics.corrupt_copies.clone(),
        );
        registry.register("journal_pending", "Paid answers that wait for PostgreSQL", metrics.journal_pending.clone());
        registry.register("event_streams", "Streams of news that are open", metrics.event_streams.clone());
        registry.register("events_sent", "Events written to streams", metrics.events_sent.clone());
        registry.register("webhook_deliveries", "Attempts to deliver", metrics.webhook_deliveries.clone());
        registry.register("webhook_pending", "Deliveries to be made", metrics.webhook_pending.clone());
        registry.register("webhook_dead", "Deliveries that were given up", metrics.webhook_dead.clone());
        registry.register("callbacks", "Callbacks of the vendor that arrived", metrics.callbacks.clone());
        registry.register("callback_effects", "What came of callbacks", metrics.callback_effects.clone());
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// Notes whether a tier answers.
    pub fn set_tier_up(&self, tier: &'static str, up: bool) {
        self.tier_up.get_or_create(&TierLabel { tier }).set(i64::from(up));
    }

    /// Notes one copy that could not be used.
    pub fn count_corrupt(&self, tier: &'static str, cause: &'static str) {
        self.corrupt_copies.get_or_create(&CorruptLabels { tier, cause }).inc();
    }

    /// Notes what came of one attempt to deliver a webhook.
    pub fn count_delivery(&self, outcome: &'static str) {
        self.webhook_deliveries.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Notes one answered lookup.
    pub fn count_lookup(&self, source: &'static str, outcome: &'static str, took: Duration) {
        self.lookups.get_or_create(&LookupLabels { source, outcome }).inc();
        self.lookup_seconds.get_or_create(&SourceLabel { source }).observe(took.as_secs_f64());
    }

    /// Notes one callback that arrived.
    pub fn count_callback(&self, event: &'static str, outcome: &'static str) {
        self.callbacks.get_or_create(&CallbackLabels { event, outcome }).inc();
    }

    /// Notes what came of working on one.
    pub fn count_callback_effect(&self, event: &'static str, outcome: &'static str) {
        self.callback_effects.get_or_create(&CallbackLabels { event, outcome }).inc();
    }

    /// The counters of what somebody spared us, ready to be incremented.
    #[must_use]
    pub fn avoided(&self, by: AvoidedBy) -> &AvoidedCounters {
        let AvoidedByTier { memory, redis, database, coalesced, confirmed } = &self.avoided;
        match by {
            AvoidedBy::Memory => memory,
            AvoidedBy::Redis => redis,
            AvoidedBy::Database => database,
            AvoidedBy::Coalesced => coalesced,
            AvoidedBy::Confirmed => confirmed,
        }
    }

    /// The text that `/metrics` answers.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "metrics cannot be rendered");
        }
        text
    }
}

impl AvoidedByTier {
    /// Also makes every series exist from the start, so that its first increase is seen.
    fn of(lookups: &Family<TierLabel, Counter>, centavos: &Family<TierLabel, Counter>) -> Self {
        let counters = |by: AvoidedBy| {
            let label = TierLabel { tier: by.as_str() };
            AvoidedCounters {
                lookups: lookups.get_or_create(&label).clone(),
                centavos: centavos.get_or_create(&label).clone(),
            }
        };
        Self {
            memory: counters(AvoidedBy::Memory),
            redis: counters(AvoidedBy::Redis),
            database: counters(AvoidedBy::Database),
            coalesced: counters(AvoidedBy::Coalesced),
            confirmed: counters(AvoidedBy::Confirmed),
        }
    }
}

/// OpenMetrics rewritten in Prometheus' plain text format, which names a counter in its comments as in its samples and knows no
/// end mark.
#[must_use]
pub fn as_plain_text(open_metrics: &str) -> String {
    let counters: Vec<&str> =
        open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines().filter(|line| *line != "# EOF") {
        let comment = ["# HELP ", "# TYPE "].iter().find_map(|mark| Some((*mark, line.strip_prefix(*mark)?)));
        match comment.and_then(|(mark, rest)| Some((mark, rest.split_once(' ')?))) {
            Some((mark, (name, rest))) if counters.contains(&name) => {
                text.push_str(&format!("{mark}{name}_total {rest}"));
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

fn latency_buckets() -> Histogram {
    Histogram::new([0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

fn age_buckets() -> Histogram {
    Histogram::new([1.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_format_names_counters_as_their_samples() {
        let metrics = Metrics::new();
        metrics.count_lookup("memory", "fresh", Duration::from_millis(1));
        let text = as_plain_text(&metrics.render());
        assert!(text.contains("# TYPE juscache_lookups_total counter\n"), "{text}");
        assert!(text.contains("juscache_lookups_total{source=\"memory\",outcome=\"fresh\"} 1\n"), "{text}");
        assert!(text.contains("# TYPE juscache_lookup_seconds histogram\n"), "{text}");
        assert!(!text.contains("# EOF"));
    }

    #[test]
    fn what_was_avoided_has_a_series_for_everyone_from_the_start() {
        let metrics = Metrics::new();
        metrics.avoided(AvoidedBy::Redis).lookups.inc();
        metrics.avoided(AvoidedBy::Redis).centavos.inc_by(27);
        let text = as_plain_text(&metrics.render());
        for by in AvoidedBy::ALL {
            let (lookups, centavos) = if by == AvoidedBy::Redis { (1, 27) } else { (0, 0) };
            let tier = by.as_str();
            assert!(text.contains(&format!("juscache_avoided_lookups_total{{tier=\"{tier}\"}} {lookups}\n")), "{text}");
            assert!(
                text.contains(&format!("juscache_avoided_centavos_total{{tier=\"{tier}\"}} {centavos}\n")),
                "{text}"
            );
        }
    }

    #[test]
    fn what_others_set_can_be_seen() {
        let metrics = Metrics::new();
        metrics.ledger_pending.set(3);
        metrics.budget_left_centavos.get_or_create(&PeriodLabel { period: "day" }).set(500);
        metrics.upstream_in_flight_limit.set(8);
        metrics.upstream_hold.get_or_create(&HoldLabels { provider: "escavador", reason: "no-credit" }).set(1);
        let text = as_plain_text(&metrics.render());
        for line in [
            "juscache_ledger_pending 3\n",
            "juscache_budget_left_centavos{period=\"day\"} 500\n",
            "juscache_upstream_in_flight_limit 8\n",
            "juscache_upstream_hold{provider=\"escavador\",reason=\"no-credit\"} 1\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
