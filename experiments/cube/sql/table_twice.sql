-- Units of an imported table that stand in it more than once.
SELECT CAST($unit AS VARCHAR) AS unit, count(*) AS n
FROM imported AS i
GROUP BY $unit
HAVING count(*) > 1
ORDER BY count(*) DESC
LIMIT 1
