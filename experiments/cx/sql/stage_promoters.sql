-- Promoters: who answered 9 or 10.
SELECT f.person, f.time
FROM told AS f
WHERE f.event = 'Survey Answered' AND f.kind = 'nps' AND f.score >= 9.0 AND f.score <= 10.0 AND f.time >= $since
