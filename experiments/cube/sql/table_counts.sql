-- Aggregated rows of an imported table added up by variant (and level, where that is added); so are the conversions.
SELECT u.variant, CAST(sum($visitors) AS BIGINT) AS n
FROM units AS u
GROUP BY ALL
