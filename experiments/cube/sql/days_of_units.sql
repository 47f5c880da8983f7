-- How many units each arm gained on each shop day.
SELECT u.arm, u.exposed_on AS day, count(*) AS n
FROM units AS u
GROUP BY u.arm, u.exposed_on
