-- Each order that was reported more than once: its time is that of its earliest copy, its visitor that of the earliest copy with an anonymous id,
-- its value that of the earliest copy sent by the backend, else of the earliest.
SELECT
  c.order_key,
  'track' AS type,
  'Order Completed' AS event,
  max(CASE WHEN c.unit_place = 1 THEN c.visitor_id END) AS visitor_id,
  max(CASE WHEN c.unit_place = 1 THEN c.user_id END) AS user_id,
  min(c.time) AS time,
  max(CASE WHEN c.value_place = 1 THEN c.value END) AS value,
  max(CASE WHEN c.value_place = 1 THEN c.currency END) AS currency,
  FALSE AS bot
FROM (
  SELECT
    k.*,
    row_number() OVER (PARTITION BY k.order_key ORDER BY k.unit_rank, k.time, k.stream_id, k.shard, k.position) AS unit_place,
    row_number() OVER (PARTITION BY k.order_key ORDER BY k.value_rank, k.time, k.stream_id, k.shard, k.position) AS value_place
  FROM order_copies AS k
  JOIN repeated_orders AS r ON r.order_key = k.order_key
) AS c
GROUP BY c.order_key
