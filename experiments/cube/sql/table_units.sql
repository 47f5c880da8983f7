-- How many different units an imported table has.
SELECT count(DISTINCT $unit) AS units
FROM imported AS i
