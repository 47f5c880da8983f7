// Values inside values, by their names with dots between them.

export const isObject = (value) => value && typeof value == "object";

/** What stands at a dotted path; null where nothing does. */
export const at = (value, path) => path.split(".").reduce((found, name) => (isObject(found) && Object.hasOwn(found, name) ? found[name] : null) ?? null, value);
