-- One row per variant of an imported table and level of a dimension; the moments of each metric are added to it.
SELECT u.variant, $level AS level, count(*) AS n
FROM units AS u
GROUP BY u.variant, $level
