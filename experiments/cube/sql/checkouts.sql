-- Who started the checkout of an order: what a payment webhook, which knows no visitor, is joined by.
SELECT f.order_id, f.visitor_id, f.user_id, f.time
FROM (
  SELECT
    e.order_id,
    e.visitor_id,
    e.user_id,
    e.time,
    row_number() OVER (PARTITION BY e.order_id ORDER BY e.time, e.stream_id, e.shard, e.position) AS place
  FROM events AS e
  WHERE e.type = 'track'
    AND e.event = 'Checkout Started'
    AND e.order_id IS NOT NULL
    AND e.visitor_id <> ''
    AND NOT e.bot
) AS f
WHERE f.place = 1
