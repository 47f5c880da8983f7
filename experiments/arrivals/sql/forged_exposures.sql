-- The newest forged exposures of an experiment.
SELECT e.visitor_id, e.user_id, e.variant, e.network, e.url, e.time, e.properties
FROM events AS e
WHERE e.type = 'exposure'
  AND e.forged
  AND NOT e.bot
  AND e.experiment = $key
  AND e.received_at >= $since
ORDER BY e.received_at DESC, e.position DESC
LIMIT 200
