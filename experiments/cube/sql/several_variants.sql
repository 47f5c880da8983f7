-- How many units saw more than one variant; each of them stays with its first exposure.
SELECT count(*) AS units
FROM (
  SELECT x.unit_name
  FROM exposures AS x
  GROUP BY x.unit_name
  HAVING min(x.arm) < max(x.arm)
) AS s
