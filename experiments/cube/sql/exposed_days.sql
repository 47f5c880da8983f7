-- Each unit with the shop day of its first exposure.
SELECT u.unit, CAST(u.exposed_on AS VARCHAR) AS level
FROM units AS u
