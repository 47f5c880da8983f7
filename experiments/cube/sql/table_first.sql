-- One row of an imported table: values near it are exact once it is taken off, however large they are.
SELECT 1 AS one
FROM imported AS i
LIMIT 1
