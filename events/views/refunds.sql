-- Each refund that has power over its order, once for that order, by refund_id (else by message): one id with several
-- orders is a refund of each. A cancellation is one full refund of its order. Power has who is believed as far as
-- whoever told what it was worth, and a page only over what its own visitor bought.
SELECT f.refund_key, f.message_id, f.order_id, f.event, f.time, f.value, f.currency, f.authority
FROM (
  SELECT
    k.*,
    row_number() OVER (PARTITION BY k.order_id, k.refund_key ORDER BY k.authority DESC, k.time, k.stream_id, k.shard, k.position) AS place
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
      e.authority,
      e.stream_id,
      e.shard,
      e.position
    FROM events AS e
    JOIN purchases AS p ON p.order_key = e.order_id
    WHERE e.type = 'track'
      AND e.event IN ('Order Refunded', 'Order Cancelled')
      AND NOT e.bot
      AND $has_power
  ) AS k
) AS f
WHERE f.place = 1
