-- The values of units with anything, all on one level: the whole.
SELECT v.arm, '' AS level, v.y, v.d, v.x, v.e, v.h, v.nonzero
FROM unit_values AS v
