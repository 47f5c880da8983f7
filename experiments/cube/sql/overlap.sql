-- Units that are in another experiment as well, by its arm.
SELECT u.unit, CAST(o.arm AS VARCHAR) AS level
FROM units AS u
JOIN arms AS a ON a.arm = u.arm
JOIN other_units AS o ON o.unit_name = u.unit_name
JOIN other_arms AS b ON b.arm = o.arm
WHERE b.experiment <> a.experiment
