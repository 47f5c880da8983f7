-- Every line of every order that stands, each order once, by who made it. That is a user where somebody says so who is
-- more than a page; else what a page sent is its visitor's, and an order of nobody its own. What was given away, or taken
-- back by whoever is believed as far as who told of the line, was no choice. An order that a visitor's consent lets be
-- counted and no more is nobody's too, unless somebody who is believed more tells its lines.
WITH people AS (
    SELECT e.visitor_id, max_by(e.user_id, (e.authority, e.known_at, e.user_id)) AS user_id
    FROM edges AS e
    WHERE e.authority > $page
    GROUP BY e.visitor_id
),
measured AS (
    SELECT e.order_id, max(e.authority) AS authority
    FROM events AS e
    WHERE e.event = 'Order Completed' AND e.consent = 'measure'
    GROUP BY e.order_id
),
lines AS (
    SELECT
        CASE
            WHEN m.authority >= p.product_ids_authority THEN concat('o:', p.order_key)
            WHEN p.user_authority > $page THEN concat('u:', p.own_user)
            WHEN w.user_id IS NOT NULL THEN concat('u:', w.user_id)
            WHEN p.visitor_id <> '' THEN concat('v:', p.visitor_id)
            ELSE concat('o:', p.order_key)
        END AS person,
        p.order_key,
        p.time,
        p.product_ids_authority AS authority,
        p.received_at,
        p.network,
        unnest(p.product_ids) AS product,
        unnest(p.quantities) AS quantity,
        unnest(p.prices) AS price
    FROM purchases AS p LEFT JOIN people AS w ON w.visitor_id = p.visitor_id
        LEFT JOIN measured AS m ON m.order_id = p.order_key
    WHERE p.product_ids IS NOT NULL
),
back AS (
    SELECT r.order_id, r.event, r.authority, e.product_ids
    FROM refunds AS r JOIN events AS e ON e.message_id = r.message_id
),
returned AS (
    SELECT order_id, authority FROM back WHERE event = 'Order Cancelled' OR product_ids IS NULL OR len(product_ids) = 0
),
returned_lines AS (
    SELECT order_id, authority, unnest(product_ids) AS product FROM back WHERE event = 'Order Refunded'
)
SELECT
    person,
    product,
    order_key AS basket,
    time / 86400000000.0 AS day,
    authority,
    received_at / 86400000000.0 AS received,
    network
FROM lines AS l
WHERE product IS NOT NULL AND coalesce(quantity, 1) > 0 AND coalesce(price, 1) > 0
    AND NOT EXISTS (SELECT 1 FROM returned AS r WHERE r.order_id = l.order_key AND r.authority >= l.authority)
    AND NOT EXISTS (
        SELECT 1 FROM returned_lines AS t
        WHERE t.order_id = l.order_key AND t.product = l.product AND t.authority >= l.authority
    )
