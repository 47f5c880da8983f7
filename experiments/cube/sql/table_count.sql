-- How many rows of an imported table count.
SELECT count(*) AS n
FROM units AS u
