-- How many rows an imported table has; what is known of its columns is added.
SELECT count(*) AS n
FROM cells AS c
