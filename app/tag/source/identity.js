// Who this is: the visitor's id, the user where one is logged in, what is counted of visits, and the mode of consent.

import { RANK, initial } from "./consent.js";
import { CONSENT, DAY, cookie, forget, keep, kept, random, setCookie } from "./device.js";
import { shop } from "./settings.js";
import { counted } from "./visits.js";

/** The mode that holds, and one that will from the next page or route on. */
export let mode;
let next;
/** The visitor's id; null where nobody is to be known. */
export let id = null;
/** `{id, token}` of who is logged in; consent may hide them. */
let named = null;
/** What is kept of this visitor: counters, the session with what it has been shown, and the id where no script may read its cookie. */
export let state = {};

/** What was said before this page holds at its start. */
export const begin = () => (mode = next = initial());
/** Whether this browser may keep anything. */
export const stores = () => RANK[mode] > RANK.ask;
export const user = () => (mode == "personal" && named ? named.id : null);
export const token = () => (user() ? named.token : undefined);

/** Recognises who is here; what is new is kept if it may be. */
export function recognise() {
  if (mode == "none") {
    forget();
    id = named = null;
    state = {};
    return;
  }
  if (!id) {
    state = kept("state") || {};
    // the cookie of who is measured is not renewed, whatever else is kept of them
    if (mode == "measure" && state.first < Date.now() - shop.days * DAY) state = {};
    else id = cookie(shop.cookie) || state.id || adopted();
    id ||= random();
    if (state.user) named = { id: state.user };
  }
  remember();
}

/** Keeps what is known of this visitor. */
export function remember() {
  if (!stores()) return;
  const past = mode == "measure" && state.first ? (Date.now() - state.first) / DAY : 0;
  if (cookie(shop.cookie) != id && !(shop.http_only && state.id)) setCookie(shop.cookie, id, shop.days - past);
  if (shop.http_only) state.id = id;
  keep("state", { ...state, user: user() });
}

/** Counts a page. */
export function countPage() {
  const before = state.visits;
  Object.assign(state, counted(before ? state : null, Date.now()));
  if (before != state.visits) Object.assign(state, { session: random(), shown: [] });
  remember();
}

/** The id that another client has given this browser, so that both mean one visitor. */
function adopted() {
  for (const name of ["ajs_anonymous_id", "rl_anonymous_id", "gbuuid"]) {
    try {
      const found = (cookie(name) || localStorage.getItem(name)).replace(/"/g, "").replace(/^RS_ENC_v3_(.*)/, (_, text) => JSON.parse(atob(text)));
      if (/^[!-~]{8,256}$/.test(found)) return found;
    } catch {}
  }
}

/**
 * Lets a mode hold: less at once, more from the next page or route on, unless it answers a question that was open.
 * @returns {boolean} whether another mode holds now
 */
export function allow(wanted, now) {
  if (!RANK[wanted]) return false;
  if (RANK[wanted] > RANK.ask) setCookie(CONSENT, wanted, shop.days);
  next = wanted;
  return (now || mode == "ask" || RANK[wanted] < RANK[mode]) && advance();
}

/** The mode that was allowed before holds from here on. */
export function advance() {
  if (next == mode) return false;
  mode = next;
  recognise();
  return true;
}

/** Somebody logged in, or out (null). @param {?{id: string, token?: string}} who */
export function name(who) {
  named = who;
  remember();
}

/** Nobody from before is here any more: a new visitor, without a user. */
export function anew() {
  if (mode == "none") return;
  named = null;
  state = {};
  id = random();
  countPage();
}
