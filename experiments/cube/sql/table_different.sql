-- How many rows and how many different units an imported table has.
SELECT count(*) AS n, count(DISTINCT u.unit) AS units
FROM units AS u
