-- Events by how far it is believed that they happened to the units of each arm.
SELECT u.arm, c.source, c.segment, c.authority, sum(c.events) AS n
FROM cube AS c
JOIN units AS u ON u.unit = c.unit
GROUP BY u.arm, c.source, c.segment, c.authority
