-- Which unit of each study an event belongs to, without joining identities: the user whose id it carries.
SELECT u.unit_name AS key, 1 AS by_user, u.unit, u.exposed_at, u.authority
FROM units AS u
WHERE u.authority >= $least
