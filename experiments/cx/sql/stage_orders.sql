-- Orders, each once: those of which a copy meets the conditions.
SELECT f.person, f.time
FROM people_orders AS f
WHERE f.time >= $since
  AND ($every OR f.order_key IN (
    SELECT coalesce(e.order_id, concat('row:', CAST(e.shard AS VARCHAR), ':', CAST(e.stream_id AS VARCHAR), ':', CAST(e.position AS VARCHAR)))
    FROM events AS e
    WHERE e.type = 'track' AND e.event = 'Order Completed' AND NOT e.bot AND $wanted
  ))
