-- Units that reached a step of a funnel.
SELECT u.arm, count(*) AS n
FROM reached AS r
JOIN units AS u ON u.unit = r.unit
WHERE u.exposed_at <= $mature
GROUP BY u.arm
