// What a page tells of its visitor, for conditions to ask: the table is `experiments/targeting/attributes.py`, which tells
// the same from an address, a referrer and a user agent. Pure functions; both are held to `tests/worlds/page_attributes.json`.
import { BROWSERS, DEVICES, SYSTEMS } from "./generated/agents.js";

const ADDRESS = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/s;
const CAMPAIGN = ["source", "medium", "campaign", "term", "content"];
const MOST_PARAMETERS = 100;
const LONGEST_AGENT = 512;
const VISIT_ENDS = 1_800_000; // after so long without a page
const DAY = 86_400_000;
const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/** Percent-decoded as a browser's own parameters are: what is malformed stays, or is U+FFFD. */
const decoded = (text) => new URLSearchParams("_=" + text.replace(/[+&]/g, encodeURIComponent)).get("_");
const hostOf = (authority) => authority.slice(authority.lastIndexOf("@") + 1).replace(/:[0-9]*$/, "").toLowerCase();
const known = (told) => Object.fromEntries(Object.entries(told).filter(([, value]) => value != null && value !== ""));

/** What the address of a page tells; nothing where it is none. @param {string} url */
export function ofAddress(url) {
  const parts = ADDRESS.exec(url);
  if (!parts) return {};
  const [, authority, path, search, hash] = parts;
  const query = Object.create(null); // so that `query.constructor` is a parameter or nothing
  for (const [name, value] of [...new URLSearchParams(search)].slice(0, MOST_PARAMETERS)) query[name] ??= value;
  const told = { host: hostOf(authority), path: decoded(path) || "/", hash: decoded((hash || "").slice(1)) };
  for (const name of CAMPAIGN) told["utm_" + name] = query["utm_" + name];
  return { ...known(told), query };
}

/** What the address of the page before tells. @param {string} referrer */
export function ofReferrer(referrer) {
  const parts = ADDRESS.exec(referrer);
  return known({ referrer_host: parts && hostOf(parts[1]) });
}

/** Families of device, browser and system, those that are known. @param {string} agent */
export function ofAgent(agent) {
  const family = (families) => families.find(([, pattern]) => pattern.test(agent.slice(0, LONGEST_AGENT)))?.[0];
  return known({ device: family(DEVICES), browser: family(BROWSERS), os: family(SYSTEMS) });
}

/**
 * Counters of visits and pages once another page is seen; they live where the id does, so they follow consent.
 * @param {?{first: number, last: number, visits: number, pages: number}} before @param {number} now epoch milliseconds
 */
export function counted(before, now) {
  const was = before && before.first <= now && before.visits > 0 ? before : { first: now, last: -Infinity, visits: 0, pages: 0 };
  return { first: was.first, last: now, visits: was.visits + (now - was.last > VISIT_ENDS), pages: was.pages + 1 };
}

/** What the counters tell. @param {{first: number, visits: number, pages: number}} counters @param {number} now */
export function ofCounters({ first, visits, pages }, now) {
  return { new_visitor: visits === 1, visits, page_views: pages, days_since_first_visit: Math.floor((now - first) / DAY) };
}

/**
 * All attributes of a page. What the shop says (`told`) wins; ids are the tag's alone.
 * @param {{id: ?string, userId: ?string, url: string, referrer: string, agent: string, language: string,
 *   timezone: string, width: number, counters: ?object, told: object}} page @param {Date} now
 */
export function attributesOf({ id, userId, url, referrer, agent, language, timezone, width, counters, told }, now) {
  return {
    ...known({
      url,
      referrer,
      language: (language || "").split("-")[0].toLowerCase(),
      timezone,
      viewport_width: width,
    }),
    ...ofAddress(url),
    ...ofReferrer(referrer),
    ...ofAgent(agent),
    ...(counters && ofCounters(counters, +now)),
    logged_in: userId != null && userId !== "",
    hour: now.getHours(),
    weekday: WEEKDAYS[now.getDay()],
    ...told,
    ...known({ id, user_id: userId }),
  };
}
