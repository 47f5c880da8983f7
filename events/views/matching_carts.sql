-- The visitors, of several whom only their pages name, whose cart at the checkout is what was bought.
SELECT c.order_key, c.visitor_id
FROM checkout_claims AS c
JOIN events AS e ON e.order_id = c.order_key AND e.visitor_id = c.visitor_id AND e.authority = c.authority
JOIN orders AS o ON o.order_key = c.order_key
JOIN events AS b ON b.order_id = o.order_key AND b.authority = o.authority
WHERE c.visitors > 1
  AND c.authority = $page
  AND e.event = 'Checkout Started'
  AND b.event = 'Order Completed'
  AND e.cart = b.cart
GROUP BY c.order_key, c.visitor_id
