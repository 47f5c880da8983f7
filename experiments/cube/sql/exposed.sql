-- How many exposures each experiment and phase has.
SELECT e.experiment, e.phase, count(*) AS n
FROM events AS e
WHERE e.type = 'exposure'
  AND $enrolled
GROUP BY e.experiment, e.phase
