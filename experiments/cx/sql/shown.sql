-- Surveys that were shown in a span: to whom on which shop day, and whether they answered that survey on a day.
SELECT DISTINCT
  CAST(dense_rank() OVER (ORDER BY f.person, f.survey) AS BIGINT) AS pair,
  CASE WHEN f.event = 'Survey Shown' THEN 1 ELSE 0 END AS shown,
  CASE WHEN f.event = 'Survey Answered' AND f.score IS NOT NULL THEN 1 ELSE 0 END AS answered,
  f.survey,
  f.kind,
  f.channel,
  f.device,
  f.country,
  $day AS day
FROM told AS f
WHERE f.event IN ('Survey Shown', 'Survey Answered') AND f.time >= $since AND $member
