-- The level of each unit in one dimension.
SELECT l.unit, l.level
FROM levels AS l
