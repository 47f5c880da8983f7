-- Which unit an event belongs to. An event with a visitor id is that visitor's; one that carries only a user id
-- belongs to the visitor who was exposed first among that user's visitors.
SELECT u.unit_name AS key, 0 AS by_user, u.unit, u.exposed_at
FROM units AS u
UNION ALL
SELECT c.user_id AS key, 1 AS by_user, c.unit, c.exposed_at
FROM (
  SELECT
    p.user_id,
    u.unit,
    u.exposed_at,
    row_number() OVER (PARTITION BY p.user_id ORDER BY u.exposed_at, u.unit_name) AS place
  FROM (
    SELECT q.user_id, q.visitor_id FROM pairs AS q
    UNION ALL
    SELECT s.unit_name AS user_id, s.unit_name AS visitor_id FROM units AS s WHERE s.by_user = 1
  ) AS p
  JOIN units AS u ON u.unit_name = p.visitor_id
) AS c
WHERE c.place = 1
