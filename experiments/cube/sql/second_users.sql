-- Visitors of each study whom pages call by a further user, which is followed by nothing.
SELECT u.study, count(*) AS n
FROM edges AS e
JOIN units AS u ON u.unit_name = $named
JOIN arms AS a ON a.arm = u.arm AND e.known_at <= a.known_until
WHERE e.place > 1
GROUP BY u.study
