-- Who of those came on to a stage within the days of the journey, when first, and how long after the stage before.
SELECT s.person, s.entered_at, min(f.time) AS reached_at, min(f.time) - s.reached_at AS waited
FROM before AS s
JOIN stage AS f ON f.person = s.person AND f.time >= s.reached_at + $apart AND f.time < s.entered_at + $within
GROUP BY s.person, s.entered_at, s.reached_at
