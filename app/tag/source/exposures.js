// Who has seen what: one event for each experiment, phase, variant and session, in every arm at the same place and moment.

import { remember, state } from "./identity.js";
import { fnv } from "./assign.js";
import { whenSeen } from "./moments.js";
import { send } from "./queue.js";
import { id } from "./identity.js";

const UNTOLD = /^(id|user_id|url|hash|query|referrer)$/; // what says who and where somebody is has its own place in an event

/** The same id for the same exposure of a session, on whichever page it is told. */
function derived(what) {
  return [0, 1, 2, 3].map((salt) => fnv(fnv(salt + what) + what + salt).toString(36)).join("-");
}

/**
 * Tells that a decision is seen, once the page is in front of somebody.
 * @param {string} key @param {object} decision @param {object} rule of the payload @param {object} attributes
 */
export function expose(key, decision, rule, attributes) {
  if (!decision.in_experiment || decision.forced) return;
  const what = `${key}:${rule.phase}:${decision.variant}`;
  whenSeen(() => {
    const shown = (state.shown ||= []);
    if (shown.includes(what)) return;
    shown.push(what);
    remember();
    const used = Object.fromEntries(Object.entries(attributes).filter(([name, value]) => !UNTOLD.test(name) && typeof value != "object"));
    const hashed = { hash_attribute: rule.hashAttribute, hash_value: attributes[rule.hashAttribute] };
    send({
      type: "track", event: "Experiment Viewed", messageId: derived(`${id}:${what}:${state.session}`),
      properties: { ...used, experiment_id: key, variation_id: decision.variant, ...hashed, url: location.href },
    });
  });
}
