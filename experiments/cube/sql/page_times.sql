-- Page views of units as the time until the same visitor's next page view: the only one that page events tell. The last
-- page view of a session has none, because nothing says how long it was read. A page view counts on its end's day.
SELECT
  p.unit,
  p.day,
  p.ended - p.lasted AS began,
  p.ended
FROM (
  SELECT
    o.unit,
    $day AS day,
    e.time - o.exposed_at AS ended,
    e.time - lag(e.time) OVER (PARTITION BY o.unit, e.visitor_id ORDER BY e.time, e.message_id) AS lasted,
    lag(CASE WHEN $condition THEN 1 ELSE 0 END)
      OVER (PARTITION BY o.unit, e.visitor_id ORDER BY e.time, e.message_id) AS wanted
  FROM events AS e
  JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
  WHERE e.type = 'page'
    AND NOT e.bot
    AND e.time >= o.exposed_at + $first - $session
    AND e.time < o.exposed_at + $until + $session
) AS p
WHERE p.wanted = 1
  AND p.lasted < $session
