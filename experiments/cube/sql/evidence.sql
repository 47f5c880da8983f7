-- What each study rests on: all exposures of its experiment, all events of its units, and whatever else names their orders.
SELECT c.study, count(*) AS n, sum(c.stream_id) AS streams, sum(c.time) AS times
FROM (
  SELECT a.study, e.stream_id, e.time
  FROM received AS e
  JOIN (SELECT DISTINCT study, experiment, phase FROM arms) AS a ON a.experiment = e.experiment AND a.phase = e.phase
  WHERE e.type = 'exposure'
  UNION ALL
  SELECT u.study, e.stream_id, e.time
  FROM received AS e
  JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
  JOIN units AS u ON u.unit = o.unit
  UNION ALL
  SELECT w.study, e.stream_id, e.time
  FROM received AS e
  JOIN (
    SELECT DISTINCT u.study, e.order_id
    FROM received AS e
    JOIN owners AS o ON o.key = $key AND o.by_user = $by_user
    JOIN units AS u ON u.unit = o.unit
    WHERE e.order_id IS NOT NULL
  ) AS w ON w.order_id = e.order_id
) AS c
GROUP BY c.study
