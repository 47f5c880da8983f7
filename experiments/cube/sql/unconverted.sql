-- Events whose money cannot be said in the shop's currency, by study, source and segment of time since exposure.
SELECT u.study, c.source, c.segment, sum(c.events - c.convertible) AS n
FROM cube AS c
JOIN units AS u ON u.unit = c.unit
WHERE c.events <> c.convertible
GROUP BY u.study, c.source, c.segment
