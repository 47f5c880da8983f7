-- How many units there are, and how many of them had a history, by level of a dimension.
SELECT u.arm, l.level, count(*) AS n, sum(coalesce(h.seen, 0)) AS h
FROM units AS u
JOIN levels AS l ON l.unit = u.unit
LEFT JOIN histories AS h ON h.unit = u.unit
WHERE u.exposed_at <= $mature
GROUP BY u.arm, l.level
