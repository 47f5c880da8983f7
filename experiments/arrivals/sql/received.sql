-- How many events were received, by shop day or by library.
SELECT $per AS per, count(*) AS n
FROM received AS e
WHERE e.received_at >= $since
  AND e.received_at < $until
  AND e.type <> $refused
GROUP BY $per
