-- All units that repeat together: how many, in how many rows, how many of them in several groups.
SELECT
  count(*) AS units,
  CAST(coalesce(sum(r.n), 0) AS BIGINT) AS n,
  CAST(coalesce(sum(r.both_groups), 0) AS BIGINT) AS both_groups,
  max(CASE WHEN $placeholder THEN CAST(r.unit AS VARCHAR) END) AS placeholder
FROM repeated AS r
