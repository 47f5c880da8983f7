-- Some of the units that repeat, the first of the table first.
SELECT r.unit
FROM repeated AS r
ORDER BY r.first_row
LIMIT $most
