-- Who came to a stage.
SELECT r.entered_at, r.waited
FROM reached AS r
