-- Units whose window is still open.
SELECT u.arm, count(*) AS n
FROM units AS u
WHERE u.exposed_at > $mature
GROUP BY u.arm
