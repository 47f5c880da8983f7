-- How often each value of a unit occurs, in cents; units without any value are all zero and are added afterwards.
SELECT v.arm, l.level, floor(v.y * 100.0 + 0.5) AS cents, count(*) AS n
FROM unit_values AS v
JOIN levels AS l ON l.unit = v.unit
GROUP BY v.arm, l.level, floor(v.y * 100.0 + 0.5)
