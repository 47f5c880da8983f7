-- The first and the last exposure that counts.
SELECT min(u.exposed_at) AS first_at, max(u.exposed_at) AS last_at
FROM units AS u
