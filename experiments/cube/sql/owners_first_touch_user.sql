-- Which unit of each study an event belongs to. An event with a user id is that user's; one without belongs to the user who was
-- exposed first among those seen with its visitor id.
SELECT u.unit_name AS key, 1 AS by_user, u.unit, u.exposed_at
FROM units AS u
UNION ALL
SELECT c.visitor_id AS key, 0 AS by_user, c.unit, c.exposed_at
FROM (
  SELECT
    p.visitor_id,
    u.unit,
    u.exposed_at,
    row_number() OVER (PARTITION BY u.study, p.visitor_id ORDER BY u.exposed_at, u.unit_name) AS place
  FROM pairs AS p
  JOIN units AS u ON u.unit_name = p.user_id
  JOIN arms AS a ON a.arm = u.arm AND p.known_at <= a.known_until
) AS c
WHERE c.place = 1
