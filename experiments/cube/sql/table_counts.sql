-- Aggregated rows of an imported table added up by variant and level; conversions of each metric are added to it.
SELECT u.variant, $level AS level, CAST(sum($visitors) AS BIGINT) AS n
FROM units AS u
GROUP BY u.variant, $level
