-- All copies of all orders. An order without an order_id is its own, by its place in the log. An id that is the user's
-- names no visitor, and an empty one nobody.
SELECT
  coalesce(e.order_id, concat('row:', CAST(e.shard AS VARCHAR), ':', CAST(e.stream_id AS VARCHAR), ':', CAST(e.position AS VARCHAR))) AS order_key,
  CASE WHEN e.visitor_id <> '' AND (e.user_id IS NULL OR e.user_id <> e.visitor_id) THEN e.visitor_id END AS own_visitor,
  e.user_id,
  e.time,
  e.value,
  e.currency,
  e.authority,
  e.shard,
  e.stream_id,
  e.position
FROM events AS e
WHERE e.type = 'track'
  AND e.event = 'Order Completed'
  AND NOT e.bot
