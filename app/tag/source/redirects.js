// Variants that are another page: whoever is in the test is counted first, in every arm alike, and only then one arm goes there.

import { keep, kept } from "./device.js";
import { whenSeen } from "./moments.js";
import { flush } from "./queue.js";
import { shop } from "./settings.js";

/** Where a payload leads, else undefined. */
export const leadsTo = (payload) => payload && Array.isArray(payload.changes) && payload.changes.find((change) => change && change.redirect)?.redirect;

/** The address to go to from here, with the query and hash of here where it has none of its own; null for one that may not be, or is here. */
export function destination(redirect) {
  let target;
  try {
    target = new URL(redirect, location.href);
  } catch {
    return null;
  }
  const domain = shop.domain || location.hostname;
  const ours = target.host == location.host || `.${target.hostname}`.endsWith(`.${domain}`) || shop.hosts.includes(target.host);
  if (!/^https?:$/.test(target.protocol) || !ours) return null;
  for (const [name, value] of new URLSearchParams(location.search)) if (!new URL(redirect, location.href).searchParams.has(name)) target.searchParams.append(name, value);
  target.hash ||= location.hash;
  const plain = (url) => url.href.split("#")[0];
  return plain(target) == plain(location) || plain(target) == arrivedFrom() ? null : target.href;
}

/** The address that a redirect has led here from. */
export const arrivedFrom = () => (redirected && redirected.to == location.href ? redirected.from : undefined);
const redirected = kept("redirect", "sessionStorage");
keep("redirect", undefined, "sessionStorage");

/**
 * Counts whoever is in a test of pages and leads them on, one for each load.
 * @param {Array<{decision: object, exposed: () => void}>} tests @param {() => void} stays called where nobody is led away
 */
export function redirect(tests, stays) {
  const away = tests.map(({ decision }) => leadsTo(decision.payload)).map((to) => to && destination(to)).find(Boolean);
  if (!tests.length) return stays();
  whenSeen(() => {
    for (const test of tests) test.exposed();
    flush(true);
    if (!away) return;
    keep("redirect", { from: location.href.split("#")[0], to: away }, "sessionStorage");
    location.replace(away);
  });
  if (!away) stays();
}
