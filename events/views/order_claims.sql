-- Everything that says who made an order, with its authority; of equal ones the lower preference goes first. What an
-- order's best copies name is its own; a page where somebody is thanked is less than the checkout, because people come
-- back from a bank in another browser.
SELECT
  p.order_key,
  p.own_visitor AS visitor_id,
  CAST(NULL AS VARCHAR) AS user_id,
  p.visitor_authority AS authority,
  CASE WHEN p.visitor_authority = p.authority THEN 0 ELSE 3 END AS preference
FROM purchases AS p
WHERE p.own_visitor IS NOT NULL
  AND $by_visitor
UNION ALL
SELECT p.order_key, p.own_user AS visitor_id, p.own_user AS user_id, p.user_authority AS authority, 1 AS preference
FROM purchases AS p
WHERE p.own_user IS NOT NULL
  AND $by_user_id
UNION ALL
SELECT s.order_key, s.visitor_id, s.user_id, s.authority, 2 AS preference
FROM checkouts AS s
