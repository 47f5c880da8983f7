-- The claim that counts for each order. Of several visitors whom only their pages name it is the one whose cart is what
-- was bought; where that does not tell them apart either, the order is contested and nobody's.
SELECT p.order_key, p.visitor_id, p.user_id, p.authority
FROM (
  SELECT
    c.order_key,
    c.visitor_id,
    c.user_id,
    c.authority,
    c.visitors,
    row_number() OVER (PARTITION BY c.order_key ORDER BY CASE WHEN m.visitor_id IS NULL THEN 1 ELSE 0 END, c.time, c.visitor_id) AS place
  FROM checkout_claims AS c
  LEFT JOIN matching_carts AS m ON m.order_key = c.order_key AND m.visitor_id = c.visitor_id
) AS p
LEFT JOIN (
  SELECT k.order_key, count(*) AS visitors
  FROM matching_carts AS k
  GROUP BY k.order_key
) AS n ON n.order_key = p.order_key
WHERE p.place = 1
  AND (p.visitors = 1 OR p.authority > $page OR n.visitors = 1)
