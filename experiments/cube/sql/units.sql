-- One row per unit of a study: its first exposure, of those that are $believed most, decides its arm, its day and its
-- dimensions, whatever it saw later. `by_user` says how far it is believed that its id is a user's, -1 where nobody says
-- so. Units are numbered by study and name, so that the numbers are the same however the log is read.
SELECT
  CAST(row_number() OVER (ORDER BY f.study, f.unit_name) AS BIGINT) AS unit,
  f.study,
  f.unit_name,
  f.arm,
  f.time AS exposed_at,
  $exposed_on AS exposed_on,
  f.by_user,
  f.authority,
  f.stream_id,
  f.shard,
  f.position
FROM (
  SELECT
    x.study, x.unit_name, x.arm, x.time, x.stream_id, x.shard, x.position, x.authority,
    max(x.by_user) OVER (
      PARTITION BY x.study, x.unit_name ORDER BY $believed DESC, x.time, x.stream_id, x.shard, x.position
      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    ) AS by_user,
    row_number() OVER (PARTITION BY x.study, x.unit_name ORDER BY $believed DESC, x.time, x.stream_id, x.shard, x.position) AS place
  FROM exposures AS x
) AS f
WHERE f.place = 1
