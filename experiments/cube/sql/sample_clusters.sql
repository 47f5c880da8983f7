-- How the events at or below the quantile cluster in units.
SELECT
  p.arm,
  p.level,
  count(*) AS n,
  sum(p.below) AS below,
  sum(p.events) AS events,
  sum(p.below * p.below) AS below_below,
  sum(p.below * p.events) AS below_events,
  sum(p.events * p.events) AS events_events
FROM (
  SELECT
    u.arm,
    l.level,
    s.unit,
    sum(CASE WHEN s.value <= t.value THEN CAST(s.n AS DOUBLE) ELSE 0.0 END) AS below,
    sum(CAST(s.n AS DOUBLE)) AS events
  FROM samples AS s
  JOIN units AS u ON u.unit = s.unit
  JOIN levels AS l ON l.unit = s.unit
  JOIN thresholds AS t ON t.arm = u.arm AND t.level = l.level
  GROUP BY u.arm, l.level, s.unit
) AS p
GROUP BY p.arm, p.level
