-- Refunds by another of their amounts than the log's own.
SELECT r.refund_key, r.message_id, r.order_id, r.event, r.time, $amount AS value, r.currency
FROM refunds AS r
JOIN events AS e ON e.message_id = r.message_id
