// One page event and one engaged time for each page that is looked at: loads, routes, and returns from the cache.

import { random } from "./device.js";
import { mode } from "./identity.js";
import { flush, send } from "./queue.js";

const IDLE = 30_000, EVERY = 15_000; // milliseconds: engaged is who has done something within the last half minute
const engagedNow = () => document.visibilityState == "visible" && document.hasFocus();

let view = null; // {id, url, seq, engaged, sent, properties}
let counted = 0, input = 0, was = false, changed = () => {};

/** Counts up to now. */
function count() {
  const now = performance.now();
  if (view && was) view.engaged += Math.max(0, Math.min(now, input + IDLE) - counted);
  counted = now;
  was = engagedNow();
}

/** Tells how long somebody was engaged; after the final beat of a page none follows. */
function beat(final) {
  count();
  if (!view || (view.engaged == view.sent && !final)) return;
  view.sent = view.engaged;
  const sequence = ++view.seq;
  send({ type: "engagement", messageId: `${view.id}:${sequence}`, pageViewId: view.id, seq: sequence, engagedMs: Math.round(view.engaged), final, url: view.url });
}

function close() {
  if (view) beat(true);
  view = null;
}

/** Begins a page: what the shop says of it goes with its event. */
function open(referrer, properties) {
  view = { id: random(), url: location.href, seq: 0, engaged: 0, sent: 0 };
  counted = input = performance.now();
  was = engagedNow();
  send({ type: "page", properties: { url: location.href, path: location.pathname, referrer, title: document.title, page_view_id: view.id, ...properties } });
}

/** The page event of a route that the shop tells itself. */
export function page(properties) {
  const before = view ? view.url : document.referrer;
  close();
  changed();
  open(before, properties);
}

/** Where the page is that was told of last, without what stands behind its #. */
const place = (url) => url.split("#")[0];

/**
 * Watches from now on. @param {object} properties of the first page @param {() => void} onChange called for each that follows
 */
export function watchPages(properties, onChange) {
  changed = onChange;
  open(document.referrer, properties);
  const route = () => view && place(view.url) != place(location.href) && page();
  for (const name of ["pushState", "replaceState"]) {
    const original = history[name];
    history[name] = function (...given) {
      const result = original.apply(this, given);
      try {
        route();
      } catch {}
      return result;
    };
  }
  const onInput = () => (count(), (input = performance.now()));
  for (const name of ["pointerdown", "pointermove", "keydown", "scroll", "touchstart"]) addEventListener(name, onInput, { passive: true, capture: true });
  for (const name of ["focus", "blur"]) addEventListener(name, count);
  addEventListener("popstate", route);
  addEventListener("visibilitychange", () => (document.visibilityState == "hidden" ? (beat(false), flush(true)) : onInput()), true);
  addEventListener("pagehide", () => (close(), flush(true)));
  addEventListener("pageshow", (event) => event.persisted && page());
  setInterval(() => (beat(false), flush()), EVERY);
}
