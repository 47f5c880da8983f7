// Events on their way: each is stored once, by its message id, whether the page stays, goes, or the service is away.
//
// A page that is gone hears no answer of its beacon. So its events are kept by the beacon's name (`left`), which the
// service writes into a cookie once they are stored; the next page (`left.js`) sends what did not arrive.

import { lower } from "./consent.js";
import { keep, kept, random } from "./device.js";
import { id, mode, stores, token, user } from "./identity.js";
import { core, key, service } from "./settings.js";

const LARGEST = 18_000; // characters, of at most three bytes: browsers send 64 kB of a page that is gone
const SOON = 50;

let pending = [], underway = 0, silent, timer, away; // those underway are the first of those pending
/** Nothing is sent of a page that is only tried out. */
export const silence = () => (silent = true);
export const address = (path) => `${service}${path}?key=${key}${core.debug ? "&debug=1" : ""}`;
export const post = (path, body, options) => fetch(address(path), { method: "POST", body, credentials: "omit", ...options });

/** Sends an event soon; until consent is answered it waits here, and nowhere else. */
export function send(event) {
  if (silent || mode == "none") return;
  pending.push({
    messageId: random(), anonymousId: id, userId: user(), timestamp: new Date(), ...event,
    context: { library: { name: "resonate.js", version: VERSION }, consent: { resonate: mode }, ...event.context },
  });
  timer ||= setTimeout(flush, SOON);
}

/** Forgets what has not been sent. */
export const drop = () => (pending = []);

/** What is not known to be stored, for the second file to keep. */
const note = () => core.keep && core.keep(pending.map(permitted));

/** Sends what earlier pages have left, each once. */
export function resume(events) {
  pending.push(...events.filter(({ messageId }) => !pending.some((event) => event.messageId == messageId)));
  note();
  flush();
}

/** Sends what waits; `leaving` says that nobody will hear the answer. */
export function flush(leaving) {
  timer = 0;
  if (silent || !stores() || (underway && !leaving)) return;
  let size = 0;
  const batch = pending.slice(underway).filter((event) => {
    const { length } = JSON.stringify(event);
    return (size += length + 100) < LARGEST || size == length + 100;
  });
  if (!batch[0]) return;
  const sent = batch.map(permitted), body = JSON.stringify({ batch: sent, sentAt: new Date() });
  const others = () => (pending = pending.filter((event) => !batch.includes(event)));
  const over = (failed, told) => {
    underway = 0;
    away = failed;
    if (!failed) others();
    note();
    if (core.sent) core.sent(sent, told);
    if (!failed) flush();
  };
  if (leaving) {
    const left = random(), beacon = navigator.sendBeacon(`${address("/v1/batch")}&left=${left}`, body) && !away && left;
    keep("queue", [...(kept("queue") || []), ...pending.map((event) => ({ ...permitted(event), left: batch.includes(event) && beacon }))]);
    others();
    return flush(1);
  }
  underway = batch.length;
  note();
  post("/v1/batch", body, { keepalive: true }).then(
    (answer) => (answer.status > 499 || answer.status == 429 ? over(1) : answer.json().then((told) => over(0, told), () => over())),
    () => over(1),
  );
}

/** An event as the strictest mode that has held since allows it. */
function permitted(event) {
  const said = event.context.consent.resonate, consent = said == "ask" ? mode : lower(mode, said), personal = consent == "personal";
  return {
    ...event, left: undefined, userId: (personal && (event.userId || (said == "ask" && user()))) || undefined,
    context: { ...event.context, user_token: personal ? token() : undefined, consent: { resonate: consent } },
  };
}
