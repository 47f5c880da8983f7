-- Events whose money cannot be said in the shop's currency, by source and segment of time since exposure.
SELECT c.source, c.segment, sum(c.events - c.convertible) AS n
FROM cube AS c
GROUP BY c.source, c.segment
