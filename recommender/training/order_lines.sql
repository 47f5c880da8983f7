-- Every line of every order that stands: each order once (its earliest copy), refunded lines left out,
-- of people who are users where they ever logged in.
WITH orders AS (
    SELECT
        coalesce(order_id, message_id) AS order_id, visitor_id, user_id, time, product_ids, quantities,
        row_number() OVER (PARTITION BY coalesce(order_id, message_id) ORDER BY stream_id, shard, position) AS copy
    FROM events
    WHERE event = 'Order Completed' AND product_ids IS NOT NULL AND NOT bot
),
people AS (
    SELECT visitor_id, max_by(user_id, time) AS user_id
    FROM events
    WHERE user_id IS NOT NULL AND visitor_id <> user_id
    GROUP BY visitor_id
),
lines AS (
    SELECT
        coalesce(o.user_id, p.user_id, o.visitor_id) AS person, o.order_id, o.time,
        unnest(o.product_ids) AS product, unnest(o.quantities) AS quantity
    FROM orders AS o LEFT JOIN people AS p ON p.visitor_id = o.visitor_id
    WHERE o.copy = 1
),
returned AS (
    SELECT order_id FROM events
    WHERE order_id IS NOT NULL
        AND (event = 'Order Cancelled' OR (event = 'Order Refunded' AND (product_ids IS NULL OR len(product_ids) = 0)))
),
returned_lines AS (
    SELECT order_id, unnest(product_ids) AS product
    FROM events
    WHERE order_id IS NOT NULL AND event = 'Order Refunded' AND product_ids IS NOT NULL
)
SELECT person, product, order_id AS basket, time / 86400000000.0 AS day
FROM lines AS l
WHERE product IS NOT NULL AND coalesce(quantity, 1) > 0
    AND NOT EXISTS (SELECT 1 FROM returned AS r WHERE r.order_id = l.order_id)
    AND NOT EXISTS (SELECT 1 FROM returned_lines AS t WHERE t.order_id = l.order_id AND t.product = l.product)
