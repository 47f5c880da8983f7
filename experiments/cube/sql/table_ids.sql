-- The units of an imported table, as they stand in it.
SELECT $id AS unit
FROM units AS u
