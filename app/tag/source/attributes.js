// What a page tells of its visitor, for conditions to ask: the table is `experiments/targeting/attributes.py`, which tells
// the same from an address, a referrer and a user agent. Pure functions; both are held to `tests/worlds/page_attributes.json`.

const MOST_PARAMETERS = 100;
const LONGEST_AGENT = 512;
const DAY = 86_400_000;
const ADDRESS = /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/is;

/** Percent-decoded as a browser's own parameters are: what is malformed stays, or is U+FFFD. */
const decoded = (text) => new URLSearchParams("_=" + text.replace(/[+&]/g, encodeURIComponent)).get("_");
const parts = (url) => ADDRESS.exec(url) || ["", ""];
const hostOf = (authority) => authority.replace(/.*@|:\d*$/gs, "").toLowerCase();
const known = (told) => Object.fromEntries(Object.entries(told).filter(([, value]) => value != null && value !== ""));

/** What the address of a page tells; nothing where it is none. @param {string} url */
export function ofAddress(url) {
  const [whole, authority, path, search, hash = ""] = parts(url), query = { __proto__: null }, told = {}; // so that `query.constructor` is a parameter or nothing
  if (!whole) return told;
  for (const [name, value] of [...new URLSearchParams(search)].slice(0, MOST_PARAMETERS)) query[name] ??= value;
  for (const name of ["source", "medium", "campaign", "term", "content"]) told["utm_" + name] = query["utm_" + name];
  return known({ host: hostOf(authority), path: decoded(path) || "/", hash: decoded(hash.slice(1)), query, ...told });
}

/** What the address of the page before tells. @param {string} referrer */
export const ofReferrer = (referrer) => known({ referrer_host: hostOf(parts(referrer)[1]) });

/** Families of a user agent, those that are known. @param {string} agent @param {object} families name → [[family, pattern]] */
export const ofAgent = (agent, families) =>
  known(Object.fromEntries(Object.entries(families).map(([name, patterns]) => [name, (patterns.find(([, pattern]) => new RegExp(pattern).test(agent.slice(0, LONGEST_AGENT))) || [])[0]])));

/** What the counters tell. @param {{first: number, visits: number, pages: number}} counters @param {number} now */
export const ofCounters = ({ first, visits, pages }, now) => ({ new_visitor: visits == 1, visits, page_views: pages, days_since_first_visit: Math.floor((now - first) / DAY) });

/**
 * All attributes of a page. What the shop says (`told`) wins; ids are the tag's alone.
 * @param {{id: ?string, userId: ?string, url: string, referrer: string, agent: string, families: object, language: string,
 *   timezone: string, width: number, counters: ?object, told: object}} page @param {Date} now
 */
export const attributesOf = ({ id, userId, url, referrer, agent, families, language, timezone, width, counters, told }, now) => ({
  ...known({ url, referrer, language: (language || "").split("-")[0].toLowerCase(), timezone, viewport_width: width }),
  ...ofAddress(url), ...ofReferrer(referrer), ...ofAgent(agent, families), ...(counters && ofCounters(counters, now)),
  logged_in: !!userId, hour: now.getHours(), weekday: now.toLocaleDateString("en", { weekday: "long" }).toLowerCase(), ...told, ...known({ id, user_id: userId }),
});
