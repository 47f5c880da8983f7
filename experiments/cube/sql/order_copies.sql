-- All copies of all orders. An order without an order_id is its own, by its place in the log.
SELECT
  coalesce(e.order_id, concat('row:', CAST(e.shard AS VARCHAR), ':', CAST(e.stream_id AS VARCHAR), ':', CAST(e.position AS VARCHAR))) AS order_key,
  e.visitor_id,
  e.user_id,
  e.time,
  e.value,
  e.currency,
  e.shard,
  e.stream_id,
  e.position,
  CASE WHEN e.backend THEN 0 ELSE 1 END AS value_rank,
  CASE
    WHEN e.visitor_id <> '' AND (e.user_id IS NULL OR e.user_id <> e.visitor_id) THEN 0
    WHEN e.visitor_id <> '' THEN 1
    ELSE 2
  END AS unit_rank
FROM events AS e
WHERE e.type = 'track'
  AND e.event = 'Order Completed'
  AND NOT e.bot
