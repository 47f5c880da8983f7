-- Which unit of each study an event belongs to, and how far that is believed. An event with a visitor id is that
-- visitor's; one that carries only a user id belongs, of the visitors who are that user by what is believed most, to the
-- one who was exposed first.
SELECT u.unit_name AS key, 0 AS by_user, u.unit, u.exposed_at, $own AS authority
FROM units AS u
UNION ALL
SELECT c.user_id AS key, 1 AS by_user, c.unit, c.exposed_at, c.authority
FROM (
  SELECT
    p.user_id,
    p.unit,
    p.exposed_at,
    p.authority,
    row_number() OVER (PARTITION BY p.study, p.user_id ORDER BY p.authority DESC, p.exposed_at, p.unit_name) AS place
  FROM (
    SELECT q.user_id, u.study, u.unit, u.unit_name, u.exposed_at, q.authority
    FROM edges AS q
    JOIN units AS u ON u.unit_name = q.visitor_id
    JOIN arms AS a ON a.arm = u.arm AND q.known_at <= a.known_until
    WHERE q.place = 1
    UNION ALL
    SELECT s.unit_name AS user_id, s.study, s.unit, s.unit_name, s.exposed_at, s.by_user AS authority
    FROM units AS s
    WHERE s.by_user >= $least
  ) AS p
) AS c
WHERE c.place = 1
