// Conditions of the public payload about a visitor's attributes: the same answer as the service and GrowthBook's SDK give.

const MOST_VALUES = 1000, MOST_CHARACTERS = 16384, LONGEST_BYTES = 2048, DEEPEST = 32;

/** Whether attributes meet a condition; one that cannot be read is met by nobody. */
export function meets(attributes, condition) {
  try {
    return !condition || holds(attributes, condition);
  } catch {
    return false;
  }
}

function holds(attributes, condition) {
  const each = (part) => holds(attributes, part);
  return Object.entries(condition).every(([name, asked]) =>
    name == "$or" ? !asked.length || asked.some(each)
    : name == "$nor" ? !(!asked.length || asked.some(each))
    : name == "$and" ? asked.every(each)
    : name == "$not" ? !each(asked)
    : asks(attributes, name, asked));
}

function asks(attributes, path, asked) {
  let value = attributes;
  for (const name of path.split(".")) value = (value && typeof value == "object" && Object.hasOwn(value, name) ? value[name] : null) ?? null;
  return bounded(value) && is(value, asked);
}

function is(value, asked, anyCase) {
  if (typeof asked == "string") return anyCase ? `${value}`.toLowerCase() == asked.toLowerCase() : value + "" == asked;
  if (typeof asked == "number") return value * 1 == asked;
  if (typeof asked == "boolean") return value !== null && !!value == asked;
  if (asked === null) return value === null;
  return operators(asked)
    ? Object.entries(asked).every(([operator, operand]) => does(operator, value, operand))
    : JSON.stringify(value) == JSON.stringify(asked);
}

const operators = (asked) => {
  const names = Array.isArray(asked) ? [] : Object.keys(asked);
  return names.length > 0 && names.every((name) => name[0] == "$");
};

function does(operator, value, operand) {
  const listed = Array.isArray(value), order = operator[1] == "v";
  const [left, right] = order ? [version(value), version(operand)] : [value, operand];
  switch (order ? `$${operator.slice(2)}` : operator) {
    case "$eq": return left === right;
    case "$ne": return left !== right;
    case "$lt": return left < right;
    case "$lte": return left <= right;
    case "$gt": return left > right;
    case "$gte": return left >= right;
  }
  switch (operator) {
    case "$exists": return (value !== null) == !!operand;
    case "$in": return within(value, operand);
    case "$ini": return within(value, operand, true);
    case "$nin": return Array.isArray(operand) && !within(value, operand);
    case "$nini": return Array.isArray(operand) && !within(value, operand, true);
    case "$not": return !is(value, operand);
    case "$size": return listed && is(value.length, operand);
    case "$elemMatch":
      return listed && value.some((item) => (item ?? null) !== null && (operators(operand) ? is(item, operand) : holds(item, operand)));
    case "$all":
    case "$alli": return listed && operand.every((one) => value.some((item) => is(item, one, operator > "$all")));
    case "$regex": return new RegExp(operand).test(value);
    case "$regexi": return new RegExp(operand, "i").test(value);
    case "$type": return (value === null ? "null" : listed ? "array" : typeof value) == operand;
  }
  return false;
}

function within(value, list, anyCase) {
  const folded = (each) => (anyCase && typeof each == "string" ? each.toLowerCase() : each);
  return Array.isArray(list) && (Array.isArray(value) ? value : [value]).some((item) => list.some((each) => folded(each) === folded(item)));
}

/** A version as a text whose order is its own. */
function version(value) {
  if (typeof value == "number") value += "";
  if (!value || typeof value != "string") value = "0";
  const parts = value.replace(/(^v|\+.*$)/g, "").split(/[-.]/);
  if (parts.length == 3) parts.push("~");
  return parts.map((part) => (/^\d+$/.test(part) ? part.padStart(5) : part)).join("-");
}

/** Whether a value is small enough to be compared: what is larger meets no condition that names it. */
function bounded(value) {
  let level = [value], left = MOST_VALUES, characters = MOST_CHARACTERS;
  for (let depth = 0; depth < DEEPEST; depth++) {
    const inside = [];
    for (const each of level) {
      if (typeof each == "string") {
        characters -= each.length;
        if (characters < 0 || (each.length * 3 > LONGEST_BYTES && new TextEncoder().encode(each).length > LONGEST_BYTES)) return false;
      } else if (Array.isArray(each)) inside.push(...each);
      else if (each && typeof each == "object") inside.push(...Object.keys(each), ...Object.values(each));
    }
    left -= inside.length;
    if (!inside.length || left < 0) return left >= 0;
    level = inside;
  }
  return false;
}
