-- One row per variant of an imported table; the columns of each metric are added to it.
SELECT CAST($variant AS VARCHAR) AS variant, count(*) AS n, count($unit) AS units
FROM imported AS i
GROUP BY CAST($variant AS VARCHAR)
