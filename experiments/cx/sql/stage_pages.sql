-- Pages that somebody looked at.
SELECT f.person, f.time
FROM pages AS f
WHERE f.time >= $since
