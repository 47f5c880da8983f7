-- The values of one metric by unit.
SELECT v.unit, v.y, v.d, v.x, v.e
FROM unit_values AS v
