-- How many units there are, and how many of them had a history.
SELECT u.arm, '' AS level, count(*) AS n, sum(coalesce(h.seen, 0)) AS h
FROM units AS u
LEFT JOIN histories AS h ON h.unit = u.unit
WHERE u.exposed_at <= $mature
GROUP BY u.arm
