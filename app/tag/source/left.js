// What could not be sent is kept here until an answer says that it is stored; what earlier pages left is sent once more.
//
// Of what a page has left by its last beacon the service says in a cookie whether it was stored. Where no script can read
// that cookie, because the service is of another origin and never wrote it, the beacon is believed.

import { DAY, LEFT, cookie, keep, kept } from "./device.js";

const MOST = 200_000; // characters
const AGE = 7 * DAY;

/** Gives core `keep`, which is told of what is not known to be stored. */
export function start(core) {
  const own = new Set(); // of what was kept the ids that this page has had

  /** What is kept of this visitor and of a week; of each event what was kept last. */
  const read = () => {
    const found = kept("queue") || [], by = Object.fromEntries(found.map((event) => [event.messageId, event]));
    return Object.values(by).filter(({ anonymousId, timestamp }) => anonymousId == core.id && new Date(timestamp) > Date.now() - AGE);
  };
  const write = (events) => {
    if (!/measure|personal/.test(core.consent)) return;
    while (JSON.stringify(events).length > MOST) events.shift();
    keep("queue", events[0] && events);
  };

  core.keep = (pending) => {
    const others = read().filter(({ messageId }) => !own.has(messageId));
    for (const { messageId } of pending) own.add(messageId);
    write([...others.filter(({ messageId }) => !own.has(messageId)), ...pending]);
  };

  const look = () => {
    const arrived = cookie(LEFT), readable = arrived || new URL(core.service, location).origin == location.origin;
    const lost = read().filter(({ left }) => !left || (readable && left != arrived));
    for (const { messageId } of lost) own.delete(messageId);
    write(lost);
    core.resume(lost);
  };
  look();
  addEventListener("pageshow", (event) => event.persisted && look());
}
