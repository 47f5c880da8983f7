-- The level of each unit in one dimension: the attribute at its first exposure. Of a study's levels those with most units
-- keep their name, the others are one level.
WITH attributes AS (
    SELECT u.unit, a.study, coalesce($level, '') AS given
    FROM units AS u
    JOIN arms AS a ON a.arm = u.arm
    JOIN events AS e ON e.shard = u.shard AND e.stream_id = u.stream_id AND e.position = u.position
    WHERE e.type = 'exposure'
),
places AS (
    SELECT t.study, t.given, row_number() OVER (PARTITION BY t.study, t.given = '' ORDER BY count(*) DESC, t.given) AS place
    FROM attributes AS t
    GROUP BY t.study, t.given
)
SELECT t.unit, t.given, CASE WHEN p.place <= $most THEN t.given ELSE $other END AS level
FROM attributes AS t
JOIN places AS p ON p.study = t.study AND p.given = t.given
