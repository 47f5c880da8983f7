-- Of the visitors first seen on a shop day, how many came back between the 7th and the 14th day after.
SELECT r.day, count(*) AS visitors, sum(r.returned) AS returned
FROM (
  SELECT
    f.visitor_id,
    $day AS day,
    max(CASE WHEN p.time >= f.first_at + $from AND p.time < f.first_at + $to THEN 1 ELSE 0 END) AS returned
  FROM (
    SELECT e.visitor_id, min(e.time) AS first_at
    FROM events AS e
    WHERE e.type = 'page' AND NOT e.bot AND e.visitor_id <> ''
    GROUP BY e.visitor_id
  ) AS f
  JOIN events AS p ON p.visitor_id = f.visitor_id AND p.type = 'page' AND NOT p.bot
  WHERE f.first_at >= $since AND f.first_at + $to <= $until
  GROUP BY f.visitor_id, $day
) AS r
GROUP BY r.day
