-- The newest rows of a visitor id itself, whoever else it is joined with.
SELECT e.time, e.received_at, e.type, e.event, e.experiment, e.variant, e.value, e.currency, e.url, e.path, e.device,
  e.country, e.site, e.bot, e.forged, e.forced, e.quarantined, e.authority, e.properties, e.context
FROM received AS e
WHERE e.received_at >= $since
  AND e.visitor_id = $visitor
ORDER BY e.received_at DESC, e.position DESC
LIMIT 20
