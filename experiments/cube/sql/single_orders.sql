-- Orders that were reported once: their only copy.
SELECT
  k.order_key,
  'track' AS type,
  'Order Completed' AS event,
  k.visitor_id,
  k.user_id,
  k.time,
  k.value,
  k.currency,
  FALSE AS bot
FROM order_copies AS k
LEFT JOIN repeated_orders AS r ON r.order_key = k.order_key
WHERE r.order_key IS NULL
