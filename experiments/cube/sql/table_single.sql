-- Units that stand in several rows as one row each; those in several groups are left out.
SELECT u.unit, min(u.variant) AS variant
FROM units AS u
GROUP BY u.unit
HAVING min(u.variant) = max(u.variant) AND $kept
