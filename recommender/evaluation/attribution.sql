-- Lists seen, clicks and what was bought after a click within a week, by strategy and by what really served.
WITH told AS (
    SELECT
        event, visitor_id, time, string_split(text_0, '.') AS parts, text_0 AS recommendation, text_1 AS product
    FROM events
    WHERE event IN ('Recommendation Viewed', 'Recommendation Clicked') AND text_0 IS NOT NULL AND NOT bot
),
named AS (
    SELECT *, parts[1] AS strategy, parts[2] AS fallback, parts[3] AS model FROM told WHERE len(parts) >= 4
),
bought AS (
    SELECT visitor_id, time, unnest(product_ids) AS product, unnest(prices) AS price, unnest(quantities) AS quantity
    FROM purchases
    WHERE product_ids IS NOT NULL
),
paid AS (
    SELECT
        c.strategy, c.fallback, c.model, b.visitor_id, b.time, b.product,
        any_value(coalesce(b.price, 0) * coalesce(b.quantity, 1)) AS revenue
    FROM named AS c
    JOIN bought AS b ON b.visitor_id = c.visitor_id AND b.product = c.product
        AND b.time >= c.time AND b.time < c.time + $window_us
    WHERE c.event = 'Recommendation Clicked'
    GROUP BY c.strategy, c.fallback, c.model, b.visitor_id, b.time, b.product
),
seen AS (
    SELECT
        strategy, fallback, model,
        count(DISTINCT CASE WHEN event = 'Recommendation Viewed' THEN recommendation END) AS views,
        count(CASE WHEN event = 'Recommendation Clicked' THEN 1 END) AS clicks
    FROM named
    GROUP BY strategy, fallback, model
),
earned AS (
    SELECT strategy, fallback, model, count(*) AS purchases, sum(revenue) AS revenue
    FROM paid
    GROUP BY strategy, fallback, model
)
SELECT
    s.strategy, s.fallback, s.model, s.views, s.clicks,
    coalesce(e.purchases, 0) AS purchases, coalesce(e.revenue, 0.0) AS revenue
FROM seen AS s
LEFT JOIN earned AS e ON e.strategy = s.strategy AND e.fallback = s.fallback AND e.model = s.model
ORDER BY s.strategy, s.fallback, s.model
