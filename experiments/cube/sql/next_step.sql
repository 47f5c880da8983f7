-- When each unit first reached this step after the one before; one event never counts as two steps.
SELECT s.unit, min(s.time) AS time
FROM steps AS s
JOIN reached AS r ON r.unit = s.unit
WHERE s.name = $name
  AND (s.time > r.time OR (s.time = r.time AND $name <> $previous))
GROUP BY s.unit
