-- Who wants to be told, and what each of them has still to be told. Only the owner of the tables reads and writes them: they hold the
-- subscribers' secrets, and say who cares about whom.
CREATE TABLE webhook_subscribers (
    id text PRIMARY KEY CONSTRAINT subscriber_id_is_ours CHECK (id ~ '^whk_[0-9a-f]{32}$'),
    url text NOT NULL CONSTRAINT url_is_bounded CHECK (char_length(url) BETWEEN 1 AND 2048),
    cnj text CONSTRAINT subscribed_cnj_is_masked CHECK (cnj ~ '^\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}$'),
    secret text NOT NULL,
    state text NOT NULL DEFAULT 'active' CONSTRAINT subscriber_state_is_known CHECK (state IN ('active', 'paused')),
    created_at timestamptz NOT NULL DEFAULT now(),
    failures integer NOT NULL DEFAULT 0 CONSTRAINT failures_is_a_count CHECK (failures >= 0),
    held_until timestamptz,
    last_success_at timestamptz,
    last_failure_at timestamptz,
    last_error text
);

REVOKE ALL ON webhook_subscribers FROM PUBLIC;

COMMENT ON TABLE webhook_subscribers IS 'Who is told by webhook what is new, of all processes or of one';
COMMENT ON COLUMN webhook_subscribers.id IS 'Random; part of every webhook-id';
COMMENT ON COLUMN webhook_subscribers.url IS 'Where to; checked again at every connection';
COMMENT ON COLUMN webhook_subscribers.cnj IS 'The only process it wants to hear of, masked; none: all of them';
COMMENT ON COLUMN webhook_subscribers.secret IS 'What its messages are signed with (whsec_ and base64); in the clear, because signing needs it';
COMMENT ON COLUMN webhook_subscribers.state IS 'active; or paused, because it answered 410 Gone: nothing is kept for it then';
COMMENT ON COLUMN webhook_subscribers.created_at IS 'Since when, by the database''s clock; earlier events are not sent';
COMMENT ON COLUMN webhook_subscribers.failures IS 'Attempts that failed in a row, whatever they delivered';
COMMENT ON COLUMN webhook_subscribers.held_until IS 'After several failures in a row: nothing is sent until then, and then one delivery as a probe';
COMMENT ON COLUMN webhook_subscribers.last_success_at IS 'When it last took a message, by the database''s clock';
COMMENT ON COLUMN webhook_subscribers.last_failure_at IS 'When an attempt last failed, by the database''s clock';
COMMENT ON COLUMN webhook_subscribers.last_error IS 'How that attempt failed: a word';

CREATE TABLE webhook_deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscriber text NOT NULL REFERENCES webhook_subscribers (id) ON DELETE CASCADE,
    event_id bigint NOT NULL REFERENCES process_events (id) ON DELETE CASCADE,
    cnj text NOT NULL,
    state text NOT NULL DEFAULT 'pending'
        CONSTRAINT delivery_state_is_known CHECK (state IN ('pending', 'delivered', 'dead')),
    claimed boolean NOT NULL DEFAULT false,
    attempts integer NOT NULL DEFAULT 0 CONSTRAINT attempts_is_a_count CHECK (attempts >= 0),
    next_attempt_at timestamptz DEFAULT now(),
    last_status integer,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    queued_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    CONSTRAINT each_event_once UNIQUE (event_id, subscriber),
    CONSTRAINT exactly_what_is_pending_is_tried CHECK ((next_attempt_at IS NOT NULL) = (state = 'pending')),
    CONSTRAINT exactly_what_is_delivered_has_a_time CHECK ((delivered_at IS NOT NULL) = (state = 'delivered'))
);

REVOKE ALL ON webhook_deliveries FROM PUBLIC;

-- What is due of a subscriber; the line of each process; what is on its way; the dead and the old. What is over costs the first three
-- nothing.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (subscriber, next_attempt_at, event_id) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_line ON webhook_deliveries (subscriber, cnj, event_id) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_claimed ON webhook_deliveries (subscriber) WHERE state = 'pending' AND claimed;
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (id) WHERE state = 'dead';
CREATE INDEX webhook_deliveries_created_at ON webhook_deliveries (created_at) WHERE state <> 'pending';

COMMENT ON TABLE webhook_deliveries IS 'One row for each event and subscriber: what was sent, what is to be sent, what was given up';
COMMENT ON COLUMN webhook_deliveries.id IS 'Names a delivery in the list of the dead ones';
COMMENT ON COLUMN webhook_deliveries.subscriber IS 'To whom';
COMMENT ON COLUMN webhook_deliveries.event_id IS 'What';
COMMENT ON COLUMN webhook_deliveries.cnj IS 'The event''s process: its events are delivered in their order';
COMMENT ON COLUMN webhook_deliveries.state IS 'pending; delivered (the subscriber answered 2xx); dead (given up, may be replayed)';
COMMENT ON COLUMN webhook_deliveries.claimed IS 'A node has it in hand, until next_attempt_at at the latest';
COMMENT ON COLUMN webhook_deliveries.attempts IS 'How often it was tried; names the attempt in hand';
COMMENT ON COLUMN webhook_deliveries.next_attempt_at IS
    'When it is tried next, by the database''s clock; taking it moves this by a lease, so that another node takes over from one that died';
COMMENT ON COLUMN webhook_deliveries.last_status IS 'The HTTP status of the last attempt; none if there was no answer';
COMMENT ON COLUMN webhook_deliveries.last_error IS 'How the last attempt failed: a word';
COMMENT ON COLUMN webhook_deliveries.created_at IS 'When the event was stored, by the database''s clock';
COMMENT ON COLUMN webhook_deliveries.queued_at IS 'Since when it is to be delivered: later than created_at after a replay';
COMMENT ON COLUMN webhook_deliveries.delivered_at IS 'When the subscriber took it, by the database''s clock';

-- In the transaction that stores the events: none is stored without its deliveries, and none is delivered that was not stored.
CREATE FUNCTION queue_webhooks() RETURNS trigger
LANGUAGE plpgsql
SECURITY INVOKER
AS $$
BEGIN
    INSERT INTO webhook_deliveries (subscriber, event_id, cnj)
    SELECT subscriber.id, fresh.id, fresh.cnj
    FROM fresh
    JOIN webhook_subscribers AS subscriber ON subscriber.cnj IS NULL OR subscriber.cnj = fresh.cnj
    WHERE subscriber.state = 'active' AND NOT fresh.sealed
    ORDER BY fresh.id;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION queue_webhooks() IS 'Queues the events that are being stored for every subscriber who wants them; sealed ones for nobody';

REVOKE EXECUTE ON FUNCTION queue_webhooks() FROM PUBLIC;

CREATE TRIGGER queue_webhooks AFTER INSERT ON process_events
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION queue_webhooks();
