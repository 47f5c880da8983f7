-- The level of each unit in one dimension: the attribute at its first exposure.
SELECT u.unit, coalesce($level, '') AS level
FROM units AS u
JOIN events AS e ON e.shard = u.shard AND e.stream_id = u.stream_id AND e.position = u.position
WHERE e.type = 'exposure'
