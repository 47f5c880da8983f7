-- How many units each arm has on each level of a dimension.
SELECT u.arm, l.level, count(*) AS n
FROM units AS u
JOIN levels AS l ON l.unit = u.unit
GROUP BY u.arm, l.level
