-- When each unit first reached the first step.
SELECT s.unit, min(s.time) AS time
FROM steps AS s
WHERE s.name = $name
GROUP BY s.unit
