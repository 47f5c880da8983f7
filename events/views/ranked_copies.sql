-- The copies of orders that were reported more than once, in order of how far they are believed, for each field among
-- those that say it. An amount and its currency are one field.
SELECT
  k.*,
  row_number() OVER (PARTITION BY k.order_key ORDER BY k.authority DESC, k.time, k.stream_id, k.shard, k.position) AS place,
  row_number() OVER (PARTITION BY k.order_key ORDER BY CASE WHEN k.own_visitor IS NULL THEN 1 ELSE 0 END, k.authority DESC, k.time, k.stream_id, k.shard, k.position) AS visitor_place,
  row_number() OVER (PARTITION BY k.order_key ORDER BY CASE WHEN k.user_id IS NULL THEN 1 ELSE 0 END, k.authority DESC, k.time, k.stream_id, k.shard, k.position) AS user_place,
  row_number() OVER (PARTITION BY k.order_key ORDER BY CASE WHEN k.value IS NULL THEN 1 ELSE 0 END, k.authority DESC, k.time, k.stream_id, k.shard, k.position) AS value_place
FROM order_copies AS k
JOIN repeated_orders AS r ON r.order_key = k.order_key
