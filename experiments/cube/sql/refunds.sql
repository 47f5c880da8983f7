-- Each refund once, by refund_id (else by message); a cancellation is one full refund of its order.
SELECT f.refund_key, f.message_id, f.order_id, f.event, f.time, f.value, f.currency
FROM (
  SELECT
    k.*,
    row_number() OVER (PARTITION BY k.refund_key ORDER BY k.value_rank, k.time, k.stream_id, k.shard, k.position) AS place
  FROM (
    SELECT
      CASE
        WHEN e.event = 'Order Cancelled' THEN concat('order:', e.order_id)
        WHEN $refund_id IS NOT NULL THEN concat('refund:', $refund_id)
        ELSE concat('message:', e.message_id)
      END AS refund_key,
      e.message_id,
      e.order_id,
      e.event,
      e.time,
      e.value,
      e.currency,
      CASE WHEN e.backend THEN 0 ELSE 1 END AS value_rank,
      e.stream_id,
      e.shard,
      e.position
    FROM events AS e
    WHERE e.type = 'track'
      AND e.event IN ('Order Refunded', 'Order Cancelled')
      AND e.order_id IS NOT NULL
      AND NOT e.bot
  ) AS k
) AS f
WHERE f.place = 1
