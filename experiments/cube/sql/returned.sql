-- Refunds joined to their order; together they never take off more than the order brought. Some shops send what they
-- give back as a negative amount.
SELECT
  g.unit,
  g.message_id,
  g.order_key,
  g.event,
  g.since,
  g.order_since,
  g.after_order,
  g.day,
  least(g.order_value, g.running) - least(g.order_value, g.running - g.amount) AS amount
FROM (
  SELECT
    j.*,
    sum(j.amount) OVER (PARTITION BY j.order_key ORDER BY j.time, j.refund_key ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS running
  FROM (
    SELECT
      o.unit,
      r.message_id,
      r.refund_key,
      e.order_key,
      r.event,
      r.time,
      r.time - o.exposed_at AS since,
      e.time - o.exposed_at AS order_since,
      r.time - e.time AS after_order,
      $day AS day,
      coalesce(e.value, 0.0) AS order_value,
      CASE WHEN r.event = 'Order Cancelled' OR r.value IS NULL THEN coalesce(e.value, 0.0) ELSE abs(r.value) END AS amount
    FROM refunds AS r
    JOIN purchases AS e ON e.order_key = r.order_id
    JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
    WHERE coalesce(e.currency, $currency) = $currency
      AND coalesce(r.currency, $currency) = $currency
  ) AS j
) AS g
