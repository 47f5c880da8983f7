-- Which unit of each study an event belongs to. An event with a visitor id is that visitor's; one that carries only a
-- user id belongs to the visitor who was exposed first among that user's visitors.
SELECT u.unit_name AS key, 0 AS by_user, u.unit, u.exposed_at
FROM units AS u
UNION ALL
SELECT c.user_id AS key, 1 AS by_user, c.unit, c.exposed_at
FROM (
  SELECT
    p.user_id,
    p.unit,
    p.exposed_at,
    row_number() OVER (PARTITION BY p.study, p.user_id ORDER BY p.exposed_at, p.unit_name) AS place
  FROM (
    SELECT q.user_id, u.study, u.unit, u.unit_name, u.exposed_at
    FROM pairs AS q
    JOIN units AS u ON u.unit_name = q.visitor_id
    JOIN arms AS a ON a.arm = u.arm AND q.known_at <= a.known_until
    UNION ALL
    SELECT s.unit_name AS user_id, s.study, s.unit, s.unit_name, s.exposed_at
    FROM units AS s
    WHERE s.by_user = 1
  ) AS p
) AS c
WHERE c.place = 1
