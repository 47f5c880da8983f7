-- Units that are in another experiment as well, by its variant.
SELECT u.unit, a.variant AS level
FROM units AS u
JOIN other_units AS o ON o.unit_name = u.unit_name
JOIN other_arms AS a ON a.arm = o.arm
