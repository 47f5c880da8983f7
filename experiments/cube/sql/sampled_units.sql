-- The values of units; those who did nothing are zero.
SELECT u.arm, coalesce(v.y, 0.0) AS value, 1 AS n
FROM units AS u
LEFT JOIN unit_values AS v ON v.unit = u.unit
