-- Metrics that need a closed window: a unit brings all it has on the day on which its window closes.
SELECT v.unit, v.entered AS day, v.y AS gross, 0.0 AS taken, v.d AS base
FROM unit_values AS v
