-- The values of events.
SELECT u.arm, s.value, s.n
FROM samples AS s
JOIN units AS u ON u.unit = s.unit
