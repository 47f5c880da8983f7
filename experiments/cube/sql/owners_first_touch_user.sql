-- Which unit of each study an event belongs to, and how far that is believed. An event with a user id is that user's, as
-- far as it is believed that the user was exposed, because anybody can name one. One without belongs, of the users seen
-- with its visitor id by what is believed most, to the one who was exposed first.
SELECT u.unit_name AS key, 1 AS by_user, u.unit, u.exposed_at, u.authority
FROM units AS u
WHERE u.authority >= $least
UNION ALL
SELECT c.visitor_id AS key, 0 AS by_user, c.unit, c.exposed_at, c.authority
FROM (
  SELECT
    p.visitor_id,
    least(p.authority, u.authority) AS authority,
    u.unit,
    u.exposed_at,
    row_number() OVER (PARTITION BY u.study, p.visitor_id ORDER BY least(p.authority, u.authority) DESC, u.exposed_at, u.unit_name) AS place
  FROM edges AS p
  JOIN units AS u ON u.unit_name = p.user_id
  JOIN arms AS a ON a.arm = u.arm AND p.known_at <= a.known_until
  WHERE p.place = 1 AND u.authority >= $least
) AS c
WHERE c.place = 1
