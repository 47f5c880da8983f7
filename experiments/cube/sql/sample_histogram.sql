-- How often each value of an event occurs.
SELECT u.arm, l.level, s.value, sum(s.n) AS n
FROM samples AS s
JOIN units AS u ON u.unit = s.unit
JOIN levels AS l ON l.unit = s.unit
GROUP BY u.arm, l.level, s.value
