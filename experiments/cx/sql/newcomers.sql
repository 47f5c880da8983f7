-- Who was seen for the first time in a span: since when, on what and from where, and whether they came back in time.
SELECT
  f.first_at,
  $day AS day,
  coalesce(min(CASE WHEN p.time = f.first_at THEN p.device END), '') AS device,
  coalesce(min(CASE WHEN p.time = f.first_at THEN p.country END), '') AS country,
  max(CASE WHEN p.time >= f.first_at + $d7 AND p.time < f.first_at + $d7 + $week THEN 1 ELSE 0 END) AS came_d7,
  max(CASE WHEN p.time >= f.first_at + $d28 AND p.time < f.first_at + $d28 + $week THEN 1 ELSE 0 END) AS came_d28
FROM (
  SELECT q.person, min(q.time) AS first_at
  FROM pages AS q
  GROUP BY q.person
) AS f
JOIN pages AS p ON p.person = f.person
WHERE f.first_at >= $since AND $member
GROUP BY f.person, f.first_at
