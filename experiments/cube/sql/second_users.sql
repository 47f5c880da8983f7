-- Visitors of each study whom pages call by a further user, which is followed by nothing.
SELECT u.study, count(*) AS n
FROM edges AS e
JOIN units AS u ON u.unit_name = $named
WHERE e.place > 1
GROUP BY u.study
