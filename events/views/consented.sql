-- Of the last days, by the mode of consent: how many answers pages were given to see, and to how many visitors.
SELECT
  c.mode,
  sum(c.answers) AS answers,
  count(DISTINCT c.visitor_id) AS visitors
FROM (
  SELECT
    CASE WHEN e.type = $refused THEN 'none' ELSE e.consent END AS mode,
    CASE WHEN e.type = $refused THEN e.value WHEN e.type = $exposure THEN 1 ELSE 0 END AS answers,
    CASE WHEN e.type = $refused THEN NULL ELSE e.visitor_id END AS visitor_id
  FROM events AS e
  WHERE e.time >= $since AND (e.type = $refused OR e.authority < $backend)
) AS c
GROUP BY c.mode
