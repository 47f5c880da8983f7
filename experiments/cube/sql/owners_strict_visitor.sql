-- Which unit of each study an event belongs to, without joining identities: the one whose id it carries.
SELECT u.unit_name AS key, 0 AS by_user, u.unit, u.exposed_at, $own AS authority
FROM units AS u
UNION ALL
SELECT s.unit_name AS key, 1 AS by_user, s.unit, s.exposed_at, s.by_user AS authority
FROM units AS s
WHERE s.by_user >= $least
