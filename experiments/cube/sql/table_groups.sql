-- The values of a column of an imported table, the most frequent first, and how many rows have each.
SELECT $group AS name, count(*) AS n
FROM cells AS c
GROUP BY $group
ORDER BY count(*) DESC, $group
LIMIT $most
