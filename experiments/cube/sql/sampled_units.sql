-- The values of units, in cents; those who did nothing are zero.
SELECT u.arm, floor(coalesce(v.y, 0.0) * 100.0 + 0.5) AS cents, 1 AS n
FROM units AS u
LEFT JOIN unit_values AS v ON v.unit = u.unit
