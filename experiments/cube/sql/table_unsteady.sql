-- The first unit whose rows differ in what they must share.
SELECT u.unit, min(u.row) AS first_row
FROM units AS u
GROUP BY u.unit
HAVING min($shared) <> max($shared)
ORDER BY min(u.row)
LIMIT 1
