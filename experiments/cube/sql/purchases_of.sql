-- Orders by another of their amounts than the log's own: what a refund of that amount can take off.
SELECT e.order_key, e.visitor_id, e.user_id, e.time, $amount AS value, e.currency
FROM purchases AS e
