-- Everyone who visits the site, as if exposed at the first visit: the traffic an experiment that has none would have.
SELECT
  $unit AS unit_name,
  0 AS study,
  0 AS arm,
  e.time,
  e.stream_id,
  e.shard,
  e.position,
  CASE WHEN e.user_id = e.visitor_id THEN e.authority ELSE -1 END AS by_user,
  e.authority
FROM events AS e
WHERE NOT e.bot
  AND e.time >= $since
  AND e.time <= $stop
  AND $unit IS NOT NULL AND $unit <> ''
