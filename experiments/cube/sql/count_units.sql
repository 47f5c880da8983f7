-- How many units there are.
SELECT count(*) AS n
FROM units AS u
