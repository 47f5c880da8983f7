// Conditions of the public payload about a visitor's attributes: the same answer as the service and GrowthBook's SDK give.

import { at, isObject } from "./paths.js";
import { core } from "./settings.js";

const MOST_VALUES = 1000, MOST_CHARACTERS = 16384, LONGEST_BYTES = 2048, DEEPEST = 31;
const { isArray } = Array, { entries, keys } = Object;
const folded = (value) => (typeof value == "string" ? value.toLowerCase() : value);

/** Whether attributes meet a condition. */
export const meets = (attributes, condition) =>
  entries(condition).every(([name, asked]) => {
    const each = (part) => meets(attributes, part);
    if (name == "$not") return !each(asked);
    if (name == "$and") return asked.every(each);
    if (name == "$or" || name == "$nor") return (!asked[0] || asked.some(each)) == (name == "$or");
    const value = at(attributes, name);
    return bounded(value) && is(value, asked);
  });

function is(value, asked, anyCase) {
  if (asked === null) return value === null;
  switch (typeof asked) {
    case "string": return anyCase ? folded(`${value}`) == folded(asked) : value + "" == asked;
    case "number": return value * 1 == asked;
    case "boolean": return value !== null && !!value == asked;
  }
  return operators(asked) ? entries(asked).every(([operator, operand]) => does(operator, value, operand)) : JSON.stringify(value) == JSON.stringify(asked);
}

const operators = (asked) => !isArray(asked) && !!keys(asked)[0] && keys(asked).every((name) => name[0] == "$");

function does(operator, value, operand) {
  const anyCase = /[nx]i$/.test(operator);
  switch (operator) {
    case "$eq": return value === operand;
    case "$ne": return value !== operand;
    case "$lt": return value < operand;
    case "$lte": return value <= operand;
    case "$gt": return value > operand;
    case "$gte": return value >= operand;
    case "$exists": return (value !== null) == !!operand;
    case "$not": return !is(value, operand);
    case "$nin": return isArray(operand) && !does("$in", value, operand);
    case "$nini": return isArray(operand) && !does("$ini", value, operand);
    case "$in":
    case "$ini": return isArray(operand) && [value].flat().some((item) => operand.some((each) => (anyCase ? folded(each) === folded(item) : each === item)));
    case "$regex":
    case "$regexi": return new RegExp(operand, anyCase ? "i" : "").test(value);
    case "$type": return (value === null ? "null" : isArray(value) ? "array" : typeof value) == operand;
  }
  return core.rarely(operator, value, operand, { does, is, meets, operators });
}

/** Whether a value is small enough to be compared: what is larger meets no condition that names it. */
function bounded(value) {
  let left = MOST_VALUES, characters = MOST_CHARACTERS;
  const look = (each, depth) =>
    typeof each == "string" ? (characters -= each.length) >= 0 && new Blob([each]).size <= LONGEST_BYTES
    : !isObject(each) || (isArray(each) ? each : entries(each).flat()).every((inside) => depth && left-- > 0 && look(inside, depth - 1));
  return look(value, DEEPEST);
}
