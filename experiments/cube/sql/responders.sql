-- Units that answered at all.
SELECT v.arm, count(*) AS n
FROM unit_values AS v
WHERE v.d > 0.0
GROUP BY v.arm
