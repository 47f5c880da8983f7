-- The last first exposure on a shop day or before it.
SELECT max(u.exposed_at) AS last_at
FROM units AS u
WHERE u.exposed_on <= $day
