-- Who entered the journey in the span, and when first.
SELECT f.person, min(f.time) AS entered_at, min(f.time) AS reached_at, CAST(0 AS BIGINT) AS waited
FROM stage AS f
WHERE f.time >= $since AND f.time < $until AND $member
GROUP BY f.person
