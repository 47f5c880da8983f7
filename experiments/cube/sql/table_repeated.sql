-- Units of an imported table that stand in it more than once, and whether in several groups.
SELECT
  u.unit,
  count(*) AS n,
  min(u.row) AS first_row,
  CASE WHEN min(u.variant) <> max(u.variant) THEN 1 ELSE 0 END AS both_groups
FROM units AS u
GROUP BY u.unit
HAVING count(*) > 1
