-- Which unit of each study made an order: by what is believed most, of equals by what says it best.
SELECT w.order_key AS key, 0 AS by_user, w.unit, w.exposed_at, w.authority
FROM (
  SELECT
    e.order_key,
    o.unit,
    o.exposed_at,
    least(e.authority, o.authority) AS authority,
    row_number() OVER (PARTITION BY e.order_key, u.study ORDER BY least(e.authority, o.authority) DESC, e.preference, o.exposed_at, u.unit) AS place
  FROM order_claims AS e
  JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
  JOIN units AS u ON u.unit = o.unit
) AS w
WHERE w.place = 1
