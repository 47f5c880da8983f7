-- Orders with whoever made them, as far as one row can say it: by their own copies, else by their checkout.
SELECT
  o.order_key,
  'track' AS type,
  'Order Completed' AS event,
  CASE WHEN s.authority >= o.visitor_authority THEN s.visitor_id ELSE coalesce(o.own_visitor, o.user_id, '') END AS visitor_id,
  CASE WHEN s.authority >= o.user_authority THEN s.user_id ELSE o.user_id END AS user_id,
  o.own_visitor,
  o.visitor_authority,
  o.user_id AS own_user,
  o.user_authority,
  o.time,
  o.authority,
  o.value,
  o.currency,
  o.value_authority,
  FALSE AS bot
FROM orders AS o
LEFT JOIN checkouts AS s ON s.order_key = o.order_key
