// Variants that are another page: whoever is in the test is counted first, in every arm alike, and only then one arm goes there.

import { keep, kept } from "./device.js";
import { whenSeen } from "./moments.js";

/** Where a payload leads, else undefined. */
const leadsTo = (payload) => Array.isArray(payload?.changes) && payload.changes.find((change) => change?.redirect)?.redirect;
const page = (url) => url.href.split("#")[0];

/**
 * The address to go to from here, with the query and hash of here where it has none of its own; null for one that may
 * not be, is here, or has led here.
 * @param {string} redirect @param {{domain: ?string, hosts: ?string[]}} shop @param {?string} from
 */
export function destination(redirect, shop, from) {
  let target;
  try {
    target = new URL(redirect, location.href);
  } catch {
    return null;
  }
  const ours = target.host == location.host || (shop.domain && `.${target.hostname}`.endsWith(`.${shop.domain}`)) || (shop.hosts || []).some((host) => `.${target.hostname}` == `.${host}`.replace("..", ".") || (host[0] == "." && target.hostname.endsWith(host)));
  if (!/^https?:$/.test(target.protocol) || !ours) return null;
  const own = [...target.searchParams.keys()];
  for (const [name, value] of new URLSearchParams(location.search)) if (!own.includes(name)) target.searchParams.append(name, value);
  target.hash ||= location.hash;
  return page(target) == page(location) || page(target) == from ? null : target.href;
}

/** Counts whoever is in a test of pages and leads them on, once. @returns {boolean} whether this page is left */
export function start(core) {
  if (core.late) return false; // another mode of consent holds than when this page was decided
  const decisions = Object.entries(core.decisions());
  const tests = decisions.filter(([key, { in_experiment, forced }]) => (in_experiment || forced) && core.arms(key).some(leadsTo)).map(([key]) => key);
  const to = decisions.map(([, { payload }]) => leadsTo(payload)).find(Boolean);
  const away = to && destination(to, core.shop, kept("redirect", true)?.from);
  if (!tests.length && !away) return false;
  core.leaving = !!away;
  whenSeen(() => {
    tests.forEach(core.exposed);
    core.flush(true);
    if (!away) return;
    if (!/none|ask/.test(core.consent)) keep("redirect", { from: page(location), to: away }, true);
    location.replace(away);
  });
  return !!away;
}
