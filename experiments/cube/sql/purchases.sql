-- Orders with whoever made them: an order with neither id takes them from its checkout, up to a day later.
SELECT
  o.order_key,
  o.type,
  o.event,
  CASE WHEN o.visitor_id = '' AND s.order_id IS NOT NULL THEN s.visitor_id ELSE o.visitor_id END AS visitor_id,
  CASE WHEN o.visitor_id = '' AND s.order_id IS NOT NULL THEN s.user_id ELSE o.user_id END AS user_id,
  o.time,
  o.value,
  o.currency,
  o.bot
FROM orders AS o
LEFT JOIN checkouts AS s ON s.order_id = o.order_key AND s.time <= o.time + 86400000000
