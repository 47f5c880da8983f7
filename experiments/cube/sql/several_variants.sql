-- How many units of each study saw more than one variant; each of them stays with its first exposure.
SELECT s.study, count(*) AS n
FROM (
  SELECT x.study, x.unit_name
  FROM exposures AS x
  GROUP BY x.study, x.unit_name
  HAVING min(x.arm) < max(x.arm)
) AS s
GROUP BY s.study
