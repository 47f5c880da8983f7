-- Every unit in one level: the whole.
SELECT u.unit, '' AS level
FROM units AS u
