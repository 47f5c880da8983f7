-- The rows of an imported table that count; what was measured on them is added.
SELECT c.row AS row, $variant AS variant
FROM cells AS c
WHERE $chosen
