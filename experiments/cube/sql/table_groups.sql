-- The values of a column of an imported table, the most frequent first: how many rows have each, and the first of them.
SELECT $group AS name, count(*) AS n, min(c.row) AS first_row
FROM cells AS c
GROUP BY $group
ORDER BY count(*) DESC, min(c.row)
LIMIT $most
