-- Who arrived, as if exposed then: in arm 0 the ones that are held back, by the hash of their ids and never by what they saw.
SELECT
  r.unit_name,
  0 AS study,
  CASE WHEN h.unit_name IS NULL THEN 1 ELSE 0 END AS arm,
  r.time,
  '' AS stream_id,
  0 AS shard,
  0 AS position,
  r.by_user,
  r.authority
FROM arrivals AS r
LEFT JOIN held_back AS h ON h.unit_name = r.unit_name
