-- How often each unit had each value of an event: the sample of a quantile over events.
SELECT o.unit, $amount AS value, count(*) AS n
FROM events AS e
JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
WHERE $named
  AND $amount IS NOT NULL
  AND NOT e.bot
  AND $so_far
  AND e.time >= o.exposed_at
  AND e.time < o.exposed_at + $until
GROUP BY o.unit, $amount
