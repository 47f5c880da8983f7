-- How many events each library sent on one shop day.
SELECT $library AS library, count(*) AS n
FROM received AS e
WHERE e.received_at >= $since
  AND e.received_at < $until
  AND e.type <> $refused
GROUP BY $library
