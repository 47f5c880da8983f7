-- How many events were received on some shop days.
SELECT $day AS day, count(*) AS n
FROM received AS e
WHERE e.received_at >= $since
  AND e.received_at < $until
  AND e.type <> $refused
GROUP BY $day
