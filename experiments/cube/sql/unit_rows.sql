-- One row per unit: what an analyst needs to run any test again.
SELECT u.unit, u.unit_name, a.variant, u.exposed_at, coalesce(h.seen, 0) AS has_history
FROM units AS u
JOIN arms AS a ON a.arm = u.arm
LEFT JOIN histories AS h ON h.unit = u.unit
ORDER BY u.unit_name
