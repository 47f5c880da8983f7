-- Of each study: orders that backends told, by whether more than a page says whose they are; orders that several visitors
-- claim, one of its units among them; refunds that have no power over the orders of its units.
SELECT f.study, f.name, count(*) AS n
FROM (
  SELECT u.study, CASE WHEN o.authority > $page THEN 'known' ELSE 'joined_by_page' END AS name, p.order_key AS what
  FROM purchases AS p
  JOIN order_owners AS o ON o.key = p.order_key
  JOIN units AS u ON u.unit = o.unit
  WHERE p.authority = $backend
  UNION ALL
  SELECT DISTINCT u.study, 'contested' AS name, e.order_key AS what
  FROM checkout_claims AS e
  JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
  JOIN units AS u ON u.unit = o.unit
  LEFT JOIN checkouts AS s ON s.order_key = e.order_key
  WHERE s.order_key IS NULL
  UNION ALL
  SELECT DISTINCT u.study, 'powerless' AS name, e.message_id AS what
  FROM events AS e
  JOIN purchases AS p ON p.order_key = e.order_id
  JOIN order_owners AS o ON o.key = p.order_key
  JOIN units AS u ON u.unit = o.unit
  WHERE e.type = 'track'
    AND e.event IN ('Order Refunded', 'Order Cancelled')
    AND NOT e.bot
    AND NOT $has_power
) AS f
GROUP BY f.study, f.name
