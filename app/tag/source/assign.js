// One experiment of the public payload and one visitor's attributes in, what the visitor gets out: as the service decides.

import { meets } from "./conditions.js";

/** FNV-1a over UTF-16 code units, 32 bits. */
export function fnv(text) {
  let value = 0x811c9dc5;
  for (let place = 0; place < text.length; ) value = Math.imul(value ^ text.charCodeAt(place++), 0x01000193);
  return value >>> 0;
}

/** The place in [0, 1) of a unit under a seed: GrowthBook's hash, version 2. */
export const position = (seed, unit) => (fnv(fnv(seed + unit) + "") % 10000) / 10000;

/** Half-open ranges, one for each variation, each starting where its whole weight starts. */
export function ranges(weights, coverage) {
  let next = 0;
  return weights.map((weight) => {
    const low = next;
    next += weight;
    return [low, low + coverage * weight];
  });
}

/** The text that is hashed of an attribute: text, and finite numbers other than zero. */
const unitOf = (value) => (typeof value == "string" || (Number.isFinite(value) && value) ? value + "" : "");

/**
 * What a visitor gets of a feature `{defaultValue, rules}`; of one that is not there nothing.
 * @param {string} [control] its key, where it is not called so @param {string} [barred] why nothing may be drawn
 */
export function assigned(feature, attributes, control, barred) {
  const { defaultValue = null, rules: [rule] = [] } = feature || {}, { variations, condition, filters = [], meta } = rule || {};
  const inside = (variant, payload, in_experiment) => ({ variant: variant || (meta ? meta[0].key : control || "control"), payload, in_experiment, because: null, forced: false });
  const outside = (because) => ({ ...inside("", defaultValue, false), because });
  const unit = variations && unitOf(attributes[rule.hashAttribute]);
  const within = (seed, [low, high], place = position(seed, unit)) => place >= low && place < high;
  if (!rule) return outside(feature ? "disabled" : "unknown");
  if (variations && (barred || !unit)) return outside(barred || "unit");
  let met = !condition;
  try {
    met ||= WHOLE && meets(attributes, condition);
  } catch {} // what cannot be asked here is met by nobody
  if (!met) return outside("audience");
  if (!variations) return inside(rule.id, rule.force, false);
  const gate = filters.find(({ seed, ranges: [range] }) => !within(seed, range));
  const index = ranges(rule.weights, rule.coverage).findIndex((range) => within(rule.seed, range));
  return gate || index < 0 ? outside(gate ? gate.seed.split(":")[0] : "traffic") : inside(meta[index].key, variations[index], true);
}
