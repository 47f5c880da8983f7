-- What each unit has in one dimension.
SELECT l.unit, l.given AS level
FROM levels AS l
