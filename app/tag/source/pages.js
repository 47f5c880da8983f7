// One page event and one engaged time for each page that is looked at: loads, routes, and returns from the cache.

import { random } from "./device.js";
import { flush, send } from "./queue.js";

const IDLE = 30_000, EVERY = 15_000; // milliseconds: engaged is who has done something within the last half minute

let view, url, sequence, engaged, sent; // of the page that is open
let counted, input, was, onPage;

/** Counts up to now. */
function count() {
  const now = performance.now();
  if (was) engaged += Math.max(0, Math.min(now, input + IDLE) - counted);
  counted = now;
  was = !document.hidden && document.hasFocus();
}

/** Tells how long somebody was engaged; after the final beat of a page none follows. */
function beat(final) {
  count();
  if (!view || (engaged == sent && !final)) return;
  sent = engaged;
  sequence++;
  send({ type: "engagement", messageId: `${view}:${sequence}`, pageViewId: view, seq: sequence, engagedMs: Math.round(engaged), final, url });
  if (final) view = 0;
}

/** Begins a page, and ends the one before. @param {object} [properties] that its event has besides */
export function page(properties) {
  const referrer = url || document.referrer, first = !url;
  beat(true);
  url = location.href;
  if (!first) onPage();
  view = random();
  sequence = engaged = sent = 0;
  input = counted;
  send({ type: "page", properties: { url, path: location.pathname, referrer, title: document.title, page_view_id: view, ...properties } });
}

/** Watches from now on; the properties are those of the first page. @param {() => void} then called for each that follows */
export function watchPages(properties, then) {
  onPage = then;
  page(properties);
  const route = () => url.split("#")[0] != location.href.split("#")[0] && page();
  for (const name of ["pushState", "replaceState"]) {
    const original = history[name];
    history[name] = (...given) => {
      original.apply(history, given);
      route();
    };
  }
  const onInput = () => (count(), (input = counted));
  for (const name of ["pointerdown", "pointermove", "keydown", "scroll", "touchstart"]) addEventListener(name, onInput, { passive: true, capture: true });
  for (const name of ["focus", "blur"]) addEventListener(name, count);
  addEventListener("popstate", route);
  document.addEventListener("visibilitychange", () => (document.hidden ? (beat(), flush()) : onInput()));
  addEventListener("pagehide", () => (beat(true), flush(1)));
  addEventListener("pageshow", (event) => event.persisted && page());
  setInterval(() => (beat(), flush()), EVERY);
}
