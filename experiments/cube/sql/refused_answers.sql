-- How many answers of each experiment and phase went to visitors of whom nothing may be known.
SELECT e.experiment, e.phase, sum(e.value) AS n
FROM events AS e
WHERE e.type = $refused
  AND $enrolled
  AND e.time <= $stop
GROUP BY e.experiment, e.phase
