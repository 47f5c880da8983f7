-- Answers to surveys of the whole site, by shop day.
SELECT
  s.day,
  s.survey,
  count(*) AS answers,
  sum(CASE WHEN s.survey = 'csat' AND s.score >= 4.0 THEN 1.0 WHEN s.survey = 'nps' AND s.score >= 9.0 THEN 100.0 WHEN s.survey = 'nps' AND s.score <= 6.0 THEN -100.0 WHEN s.survey = 'ces' THEN s.score ELSE 0.0 END) AS total
FROM (
  SELECT $day AS day, $survey AS survey, e.value AS score
  FROM events AS e
  WHERE e.type = 'track' AND e.event = 'Survey Answered' AND NOT e.bot AND e.time >= $since AND e.time < $until
) AS s
WHERE (s.survey = 'csat' AND s.score >= 1.0 AND s.score <= 5.0)
  OR (s.survey = 'nps' AND s.score >= 0.0 AND s.score <= 10.0)
  OR (s.survey = 'ces' AND s.score >= 1.0 AND s.score <= 7.0)
GROUP BY s.day, s.survey
