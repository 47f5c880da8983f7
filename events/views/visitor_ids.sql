-- The distinct visitor ids that pages told of, those that were issued here, and those that anybody guesses: by their
-- looks, or because they are somebody's user id. Who is named by a user id alone has no visitor id.
SELECT
  count(*) AS n,
  coalesce(sum(CASE WHEN i.issued THEN 1 ELSE 0 END), 0) AS issued,
  coalesce(sum(CASE WHEN $guessable OR u.id IS NOT NULL THEN 1 ELSE 0 END), 0) AS guessable
FROM (
  SELECT e.visitor_id AS id, max(CASE WHEN e.issued THEN 1 ELSE 0 END) = 1 AS issued
  FROM events AS e
  WHERE e.authority < $backend AND e.visitor_id <> '' AND coalesce(e.user_id, '') <> e.visitor_id
  GROUP BY e.visitor_id
) AS i
LEFT JOIN (SELECT DISTINCT e.user_id AS id FROM events AS e WHERE e.user_id IS NOT NULL) AS u ON u.id = i.id
