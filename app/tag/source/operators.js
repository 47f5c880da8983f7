// Operators of conditions that few pages ask: of versions, and of what is inside lists.

/** A version as a text whose order is its own. */
function version(value) {
  if (typeof value == "number") value += "";
  const parts = (typeof value == "string" && value ? value : "0").replace(/^v|\+.*$/g, "").split(/[-.]/);
  if (parts.length == 3) parts.push("~");
  return parts.map((part) => (/^\d+$/.test(part) ? part.padStart(5) : part)).join("-");
}

/** Whether a value meets one of them; `tests` are those of `conditions.js`. */
export function rarely(operator, value, operand, { does, is, meets, operators }) {
  if (/^\$v(eq|ne|[gl]te?)$/.test(operator)) return does("$" + operator.slice(2), version(value), version(operand));
  if (!Array.isArray(value)) return false;
  switch (operator) {
    case "$size": return is(value.length, operand);
    case "$elemMatch": return value.some((item) => item !== null && (operators(operand) ? is(item, operand) : meets(item, operand)));
    case "$all":
    case "$alli": return operand.every((one) => value.some((item) => is(item, one, operator == "$alli")));
  }
  return false;
}
