-- How often each value of a unit occurs; units without any value are all zero and are added afterwards.
SELECT v.arm, l.level, v.y AS value, count(*) AS n
FROM unit_values AS v
JOIN levels AS l ON l.unit = v.unit
GROUP BY v.arm, l.level, v.y
