-- Units that stand in several rows as one row each, without those that are left out.
SELECT u.unit, min(u.variant) AS variant
FROM units AS u
WHERE u.unit NOT IN (SELECT r.unit FROM repeated AS r WHERE $left_out)
GROUP BY u.unit
