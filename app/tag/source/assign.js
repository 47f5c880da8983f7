// One experiment of the public payload and one visitor's attributes in, what the visitor gets out: as the service decides.

import { meets } from "./conditions.js";

/** FNV-1a over UTF-16 code units, 32 bits. */
export function fnv(text) {
  let value = 0x811c9dc5;
  for (let place = 0; place < text.length; place++) value = Math.imul(value ^ text.charCodeAt(place), 0x01000193);
  return value >>> 0;
}

/** The place in [0, 1) of a unit under a seed: GrowthBook's hash, version 2. */
export const position = (seed, unit) => (fnv(fnv(seed + unit) + "") % 10000) / 10000;

/** Half-open ranges, one for each variation, each starting where its whole weight starts. */
export function ranges(weights, coverage) {
  let start = 0;
  return weights.map((weight) => {
    const low = start;
    start += weight;
    return [low, low + coverage * weight];
  });
}

/**
 * What a visitor gets of a feature.
 * @param {object} feature `{defaultValue, rules}` @param {object} attributes @param {string} control the key of control
 * @param {string} [barred] why nothing may be drawn
 */
export function assigned(feature, attributes, control, barred) {
  const rule = feature.rules[0];
  const outside = (because) => ({ variant: control, payload: feature.defaultValue, in_experiment: false, because, forced: false });
  if (!rule) return outside("disabled");
  const drawn = rule.variations, unit = drawn && unitOf(attributes[rule.hashAttribute]);
  if (drawn && (barred || !unit)) return outside(barred || "unit");
  if (!meets(attributes, rule.condition)) return outside("audience");
  if (!drawn) return { ...outside(null), variant: rule.id || control, payload: rule.force };
  for (const { seed, ranges: [[low, high]] } of rule.filters || []) {
    const place = position(seed, unit);
    if (place < low || place >= high) return outside(seed.split(":")[0]);
  }
  const place = position(rule.seed, unit);
  const index = ranges(rule.weights, rule.coverage).findIndex(([low, high]) => place >= low && place < high);
  if (index < 0) return outside("traffic");
  return { variant: rule.meta[index].key, payload: drawn[index], in_experiment: true, because: null, forced: false };
}

/** The text that is hashed of an attribute: text, and finite numbers other than zero. */
function unitOf(value) {
  return typeof value == "string" ? value : typeof value == "number" && Number.isFinite(value) && value ? value + "" : "";
}
