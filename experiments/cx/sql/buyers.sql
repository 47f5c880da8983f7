-- Who bought for the first time in a span: since when, on what and from where, and whether they bought again in time.
SELECT
  f.first_at,
  $day AS day,
  coalesce(min(CASE WHEN p.time = f.first_at THEN p.device END), '') AS device,
  coalesce(min(CASE WHEN p.time = f.first_at THEN p.country END), '') AS country,
  CASE WHEN count(CASE WHEN p.time < f.first_at + $again THEN 1 END) > 1 THEN 1 ELSE 0 END AS bought_again
FROM (
  SELECT q.person, min(q.time) AS first_at
  FROM people_orders AS q
  GROUP BY q.person
) AS f
JOIN people_orders AS p ON p.person = f.person
WHERE f.first_at >= $since AND $member
GROUP BY f.person, f.first_at
