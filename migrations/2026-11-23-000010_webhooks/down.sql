DROP TRIGGER queue_webhooks ON process_events;
DROP FUNCTION queue_webhooks();
DROP TABLE webhook_deliveries;
DROP TABLE webhook_subscribers;
