-- Refunds joined to their order; together they never take off more than the order brought. Some shops send what they
-- give back as a negative amount. Amounts are in the shop's currency; what cannot be said in it takes nothing off.
SELECT
  g.unit,
  g.message_id,
  g.order_key,
  g.event,
  g.since,
  g.order_since,
  g.after_order,
  g.day,
  CASE WHEN g.convertible = 1 THEN least(g.order_value, g.running) - least(g.order_value, g.running - g.amount) ELSE 0.0 END AS amount,
  g.convertible
FROM (
  SELECT
    j.*,
    CASE WHEN j.order_value IS NULL OR j.amount IS NULL THEN 0 ELSE 1 END AS convertible,
    sum(coalesce(j.amount, 0.0)) OVER (PARTITION BY j.unit, j.order_key ORDER BY j.time, j.refund_key ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS running
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
      coalesce(e.value, 0.0) * $order_rate AS order_value,
      CASE WHEN r.event = 'Order Cancelled' OR r.value IS NULL THEN coalesce(e.value, 0.0) * $order_rate ELSE abs(r.value) * $refund_rate END AS amount
    FROM refunds AS r
    JOIN purchases AS e ON e.order_key = r.order_id
    JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
  ) AS j
) AS g
