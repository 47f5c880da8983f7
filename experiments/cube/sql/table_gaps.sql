-- Cells of a column that do not hold what they must: how many, the first of them, and its value.
SELECT count(*) AS n, min(c.row) AS first_row, arg_min(CAST($cell AS VARCHAR), c.row) AS cell
FROM cells AS c
WHERE $wrong
