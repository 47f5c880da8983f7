-- Every order, once, with whoever made it.
SELECT
  coalesce(nullif(o.user_id, ''), w.user_id, nullif(o.visitor_id, ''), concat('order:', o.order_key)) AS person,
  o.order_key,
  o.time,
  o.device,
  o.country
FROM purchases AS o
LEFT JOIN people AS w ON w.visitor_id = o.visitor_id
WHERE o.time < $until
