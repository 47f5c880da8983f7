// Events on their way: each is stored once, by its message id, whether the page stays, goes, or the service is away.

import { RANK } from "./consent.js";
import { keep, kept, random } from "./device.js";
import { id, mode, stores, token, user } from "./identity.js";
import { key, service } from "./settings.js";

const LARGEST = 60_000; // bytes of a request that a browser sends of a page that is gone
const MOST_KEPT = 100;
const SOON = 50;

/** Nothing is sent of a page that is only tried out. */
let silent = false;
let waiting = [], underway = [], timer, away = false;
/** Who is told of what was sent and answered. @type {Array<(body: object, answer: ?object) => void>} */
export const listeners = [];

export const silence = () => {
  silent = true;
  waiting = [];
};
export const address = (path) => `${service}${path}?key=${encodeURIComponent(key)}`;

/** Sends an event soon; until consent is answered it waits here, and nowhere else. */
export function send(event) {
  if (silent || mode == "none") return;
  const consent = mode == "ask" ? undefined : mode;
  waiting.push({
    messageId: random(), anonymousId: id, userId: user(), timestamp: new Date().toISOString(), ...event,
    context: { library: { name: "resonate.js", version: VERSION }, consent: { resonate: consent }, ...event.context },
  });
  timer ??= setTimeout(flush, SOON);
}

/** Forgets what has not been sent. */
export const drop = () => (waiting = []);

/** What was left over from the page before goes first. */
export const resume = () => {
  if (stores() && !silent) waiting.unshift(...(kept("queue") || []));
};

/** Sends what waits; `leaving` says that nobody will hear the answer. @returns {boolean} whether all of it is on its way */
export function flush(leaving) {
  timer = clearTimeout(timer);
  if (!waiting.length || silent || !stores()) return !waiting.length;
  let size = 0;
  const batch = [];
  while (waiting.length) {
    const event = identified(waiting[0]);
    size += new TextEncoder().encode(JSON.stringify(event)).length + 1;
    if (batch.length && size > LARGEST) break;
    waiting.shift();
    batch.push(event);
  }
  const body = JSON.stringify({ batch, sentAt: new Date().toISOString() });
  if (leaving === true) {
    if (!away && beacon(body)) return flush(true);
    waiting.unshift(...batch);
    store();
    return false;
  }
  underway.push(...batch);
  store();
  const over = (failed, answer) => {
    underway = underway.filter((event) => !batch.includes(event));
    away = failed;
    if (failed) waiting.unshift(...batch);
    store();
    for (const tell of listeners) tell(batch, answer);
    if (!failed) flush();
  };
  fetch(address("/v1/batch"), { method: "POST", body, keepalive: true, credentials: "omit" }).then(
    (answer) => answer.status < 500 && answer.status != 429 ? answer.json().then((told) => over(false, told), () => over(false)) : over(true),
    () => over(true),
  );
  return true;
}

const beacon = (body) => {
  try {
    return navigator.sendBeacon(address("/v1/batch"), body);
  } catch {}
};

/** Keeps what is not known to be stored, for the next page. */
function store() {
  const left = [...underway, ...waiting].slice(-MOST_KEPT).map(identified);
  if (stores()) keep("queue", left.length ? left : undefined);
}

/** An event as the strictest mode that has held since allows it. */
function identified(event) {
  const said = event.context.consent.resonate, consent = !said || RANK[mode] < RANK[said] ? mode : said;
  const who = consent == "personal" ? (said ? event.userId : user()) : null;
  const proof = who && token();
  return { ...event, userId: who || undefined, context: { ...event.context, user_token: proof || undefined, consent: { resonate: consent } } };
}
