-- Page views with engaged time, and those whose last heartbeat arrived.
SELECT u.arm, sum(c.finals) AS finals, sum(c.events) AS page_views
FROM cube AS c
JOIN units AS u ON u.unit = c.unit
WHERE c.source = $source
  AND c.segment >= $first
  AND c.segment < $last
GROUP BY u.arm
