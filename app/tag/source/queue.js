// Events on their way: each is stored once, by its message id, whether the page stays, goes, or the service is away.

import { lower } from "./consent.js";
import { keep, kept, random } from "./device.js";
import { id, mode, stores, token, user } from "./identity.js";
import { core, key, service } from "./settings.js";

const LARGEST = 18_000; // characters, of at most three bytes: browsers send 64 kB of a page that is gone
const MOST_KEPT = 100;
const SOON = 50;

let silent, waiting = [], underway = [], timer, away;
/** Nothing is sent of a page that is only tried out. */
export const silence = () => (silent = true);
export const address = (path) => `${service}${path}?key=${key}${core.debug ? "&debug=1" : ""}`;
export const post = (path, body, options) => fetch(address(path), { method: "POST", body, credentials: "omit", ...options });

/** Sends an event soon; until consent is answered it waits here, and nowhere else. */
export function send(event) {
  if (silent || mode == "none") return;
  waiting.push({
    messageId: random(), anonymousId: id, userId: user(), timestamp: new Date(), ...event,
    context: { library: { name: "resonate.js", version: VERSION }, consent: { resonate: mode }, ...event.context },
  });
  timer ||= setTimeout(flush, SOON);
}

/** Forgets what has not been sent. */
export const drop = () => (waiting = []);

/** What was left over from the page before goes first. */
export const resume = () => stores() && waiting.unshift(...(kept("queue") || []));

/** Sends what waits; `leaving` says that nobody will hear the answer. */
export function flush(leaving) {
  timer = 0;
  if (silent || !stores() || !waiting[0]) return;
  let size = 0;
  const large = waiting.findIndex((event) => (size += JSON.stringify(event).length + 100) > LARGEST);
  const batch = waiting.splice(0, large < 0 ? MOST_KEPT : large || 1).map(permitted);
  const body = JSON.stringify({ batch, sentAt: new Date() });
  const over = (failed, answer) => {
    underway = underway.filter((event) => !batch.includes(event));
    away = failed;
    if (failed) waiting.unshift(...batch);
    store();
    if (core.sent) core.sent(batch, answer);
    if (!failed) flush(leaving);
  };
  if (leaving) return over(away || !navigator.sendBeacon(address("/v1/batch"), body));
  underway.push(...batch);
  store();
  post("/v1/batch", body, { keepalive: true }).then(
    (answer) => (answer.status > 499 || answer.status == 429 ? over(true) : answer.json().then((told) => over(false, told), () => over())),
    () => over(true),
  );
}

/** Keeps what is not known to be stored, for the next page. */
const store = () => {
  const left = [...underway, ...waiting].slice(-MOST_KEPT).map(permitted);
  if (stores()) keep("queue", left[0] && left);
};

/** An event as the strictest mode that has held since allows it. */
function permitted(event) {
  const said = event.context.consent.resonate, consent = said == "ask" ? mode : lower(mode, said), personal = consent == "personal";
  return {
    ...event, userId: (personal && (event.userId || (said == "ask" && user()))) || undefined,
    context: { ...event.context, user_token: personal ? token() : undefined, consent: { resonate: consent } },
  };
}
