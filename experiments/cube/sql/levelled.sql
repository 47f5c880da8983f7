-- The values of units with anything, by the levels that they are on.
SELECT v.arm, l.level, v.y, v.d, v.x, v.e, v.h, v.nonzero
FROM unit_values AS v
JOIN levels AS l ON l.unit = v.unit
