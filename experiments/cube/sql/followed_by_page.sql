-- The units of each arm, and those of them that a page event follows within $soon of their exposure, of which the log has
-- had so long to hear. The page of the exposure itself follows it, too, where it is told to be a little older: what comes
-- in two requests is set right by two clocks.
SELECT u.arm, count(*) AS n, count(f.unit) AS followed
FROM units AS u
CROSS JOIN (SELECT max(e.time) AS seen FROM events AS e) AS latest
LEFT JOIN (
  SELECT DISTINCT u.unit
  FROM units AS u
  JOIN events AS x ON x.shard = u.shard AND x.stream_id = u.stream_id AND x.position = u.position
  JOIN events AS e ON $named = u.unit_name
  WHERE e.type = 'page' AND e.time <= u.exposed_at + $soon AND (
    e.time >= u.exposed_at OR (e.url = x.url AND e.time >= u.exposed_at - $soon)
  )
) AS f ON f.unit = u.unit
WHERE u.exposed_at + $soon <= latest.seen
GROUP BY u.arm
