-- The units of each arm, and those of them that a page event follows within $soon of their exposure, of which the log has
-- had so long to hear.
SELECT u.arm, count(*) AS n, count(f.unit) AS followed
FROM units AS u
CROSS JOIN (SELECT max(e.time) AS seen FROM events AS e) AS latest
LEFT JOIN (
  SELECT DISTINCT u.unit
  FROM units AS u
  JOIN events AS e ON $named = u.unit_name
  WHERE e.type = 'page' AND e.time >= u.exposed_at AND e.time <= u.exposed_at + $soon
) AS f ON f.unit = u.unit
WHERE u.exposed_at + $soon <= latest.seen
GROUP BY u.arm
