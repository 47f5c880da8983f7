-- The same of each library.
SELECT
  $day AS day,
  $library AS library,
  count(*) AS n,
  sum(CASE WHEN e.value IS NULL THEN 1 ELSE 0 END) AS worthless
FROM events AS e
WHERE e.event = $name
  AND NOT e.bot
  AND e.received_at >= $since
  AND e.received_at < $until
GROUP BY $day, $library
