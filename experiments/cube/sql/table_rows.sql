-- Rows of an imported table, as they stand in it.
SELECT c.*
FROM cells AS c
WHERE $chosen
