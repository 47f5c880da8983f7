// Who has seen what: one event for each experiment, phase, variant and session, in every arm at the same place and moment.

import { fnv } from "./assign.js";
import { id, remember, state } from "./identity.js";
import { whenSeen } from "./moments.js";
import { send } from "./queue.js";

/** Tells that a decision is seen, once the page is in front of somebody; `rule` is that of the payload. */
export function expose(key, { variant, in_experiment, forced }, rule, attributes) {
  if (in_experiment && !forced)
    whenSeen(() => {
      const what = `${key}:${rule.phase}:${variant}`, shown = (state.shown ||= []), unit = rule.hashAttribute;
      if (shown.includes(what)) return;
      shown.push(what);
      remember();
      const { id: _, user_id, url, hash, query, referrer, ...used } = attributes; // who and where somebody is has its own place in an event
      send({
        type: "track", event: "Experiment Viewed",
        messageId: [0, 1, 2, 3].map((salt) => fnv(salt + what + id + state.session)).join("-"), // the same on every page
        properties: { ...used, experiment_id: key, variation_id: variant, hash_attribute: unit, hash_value: attributes[unit], url },
      });
    });
}
