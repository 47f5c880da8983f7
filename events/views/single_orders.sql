-- Orders that were reported once: their only copy.
SELECT
  k.order_key,
  k.own_visitor,
  CASE WHEN k.own_visitor IS NULL THEN -1 ELSE k.authority END AS visitor_authority,
  k.user_id,
  CASE WHEN k.user_id IS NULL THEN -1 ELSE k.authority END AS user_authority,
  k.time,
  k.authority,
  k.value,
  k.currency,
  CASE WHEN k.value IS NULL THEN -1 ELSE k.authority END AS value_authority
FROM order_copies AS k
LEFT JOIN repeated_orders AS r ON r.order_key = k.order_key
WHERE r.order_key IS NULL
