-- The ids of all who arrived.
SELECT r.unit_name
FROM arrivals AS r
ORDER BY r.unit_name
