-- Answers to surveys in a span, with the number of whoever gave them; of one person and survey in order of time.
SELECT
  CAST(dense_rank() OVER (ORDER BY f.person) AS BIGINT) AS person,
  CAST(dense_rank() OVER (ORDER BY f.person, f.survey) AS BIGINT) AS pair,
  f.survey,
  f.kind,
  f.channel,
  f.device,
  f.country,
  $day AS day,
  f.score,
  CASE
    WHEN f.kind = 'csat' AND f.score >= 1.0 AND f.score <= 5.0 THEN 1
    WHEN f.kind = 'nps' AND f.score >= 0.0 AND f.score <= 10.0 THEN 1
    WHEN f.kind = 'ces' AND f.score >= 1.0 AND f.score <= 7.0 THEN 1
    ELSE 0
  END AS usable
FROM told AS f
WHERE f.event = 'Survey Answered' AND f.time >= $since AND $member
ORDER BY f.person, f.survey, f.time, f.stream_id, f.shard, f.position
