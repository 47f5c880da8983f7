-- The values of events, in cents.
SELECT u.arm, s.cents, s.n
FROM samples AS s
JOIN units AS u ON u.unit = s.unit
