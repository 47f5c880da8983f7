-- The units of each arm: those whose id was issued here; those that pages enrolled, and of these how many have an id that
-- anybody guesses, by its looks or because it is somebody's user id.
SELECT
  u.arm,
  count(*) AS n,
  coalesce(sum(CASE WHEN e.issued THEN 1 ELSE 0 END), 0) AS issued,
  coalesce(sum(CASE WHEN u.authority < $backend THEN 1 ELSE 0 END), 0) AS pages,
  coalesce(sum(CASE WHEN u.authority < $backend AND ($guessable OR k.user_id IS NOT NULL) THEN 1 ELSE 0 END), 0) AS guessable
FROM units AS u
JOIN events AS e ON e.stream_id = u.stream_id AND e.shard = u.shard AND e.position = u.position
LEFT JOIN (SELECT DISTINCT r.user_id FROM events AS r WHERE r.user_id IS NOT NULL) AS k ON k.user_id = u.unit_name
GROUP BY u.arm
