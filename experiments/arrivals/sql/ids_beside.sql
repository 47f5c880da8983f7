-- Other visitor ids that were received from the page of a forged exposure: of its network, its address and its minute.
SELECT DISTINCT x.visitor_id, o.visitor_id AS other
FROM events AS x
JOIN events AS o
  ON o.network = x.network AND o.url = x.url AND o.time BETWEEN x.time - 60000000 AND x.time + 60000000
  AND o.visitor_id <> x.visitor_id
WHERE x.type = 'exposure'
  AND x.forged
  AND NOT x.bot
  AND x.experiment = $key
  AND x.received_at >= $since
  AND o.received_at >= $since
LIMIT 2000
