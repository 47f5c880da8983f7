-- Who started the checkout of an order, up to a day after it, where the copies that are believed most name nobody: a
-- payment webhook knows no visitor.
SELECT o.order_key, e.visitor_id, max(e.user_id) AS user_id, e.authority, min(e.time) AS time
FROM orders AS o
JOIN events AS e ON e.order_id = o.order_key
WHERE greatest(o.visitor_authority, o.user_authority) < o.authority
  AND e.type = 'track'
  AND e.event = 'Checkout Started'
  AND e.visitor_id <> ''
  AND e.time <= o.time + 86400000000
  AND NOT e.bot
GROUP BY o.order_key, e.visitor_id, e.authority
