-- The units of an imported table, as they stand in it.
SELECT $unit AS unit
FROM imported AS i
