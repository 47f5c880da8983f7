-- How often each value of a metric stands in one variant of an imported table (by level, where that is added).
SELECT $measured AS measured, count(*) AS n
FROM units AS u
WHERE u.variant = $variant
GROUP BY ALL
