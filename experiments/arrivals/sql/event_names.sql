-- The names of events that were received since a moment, the most frequent first; of more there is only how many events
-- of all names there were, and since a later moment, because whoever sends events invents names.
WITH counted AS (
  SELECT
    e.type,
    coalesce(e.event, e.type) AS name,
    count(*) AS n,
    sum(CASE WHEN e.received_at >= $day THEN 1 ELSE 0 END) AS n_day,
    sum(CASE WHEN e.value IS NULL THEN 1 ELSE 0 END) AS worthless,
    max(e.received_at) AS last_seen
  FROM events AS e
  WHERE e.received_at >= $since
    AND e.type <> $refused
  GROUP BY e.type, coalesce(e.event, e.type)
)
SELECT
  c.type,
  c.name,
  c.n,
  c.n_day,
  c.worthless,
  c.last_seen,
  (SELECT sum(a.n) FROM counted AS a) AS all_n,
  (SELECT sum(a.n_day) FROM counted AS a) AS all_day
FROM counted AS c
ORDER BY c.n DESC, c.name, c.type
LIMIT 20000
