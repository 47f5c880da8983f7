// Pauses and new definitions, as they happen: they hold for what is not decided yet; what is seen stays as it is.

import { whenSeen } from "./moments.js";

/** Listens while the page is open, once it rests in front of somebody. */
export function start(core) {
  const { source } = core;
  if (source || !window.EventSource || core.consent == "none" || core.consent == "ask" || !core.keys()[0]) return;
  whenSeen(() =>
    (window.requestIdleCallback || setTimeout)(() => {
      core.source = new EventSource(`${core.service}/sub/${core.key}`);
      core.source.addEventListener("features", ({ data }) => {
        try {
          core.update(JSON.parse(data).features);
        } catch {} // the next one says it again
      });
    }),
  );
}
