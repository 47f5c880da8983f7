// The tag of the page: decides what a visitor sees, shows it, and counts who has seen it. Whatever fails, the page stays whole.
//
// A second file of parts (`parts.js`) is loaded where something of it is used. Each part exports `start(core)` and is
// given this object:
//
//   core.id                  the visitor's id; null where consent is `none`
//   core.consent             "none" | "ask" | "measure" | "personal": what holds now
//   core.user                the user who is logged in, where consent lets anybody know; else null
//   core.attributes()        all attributes as conditions see them now
//   core.decide(key)         {variant, payload, in_experiment, because, forced}: decided once for a page or route
//   core.decisions()         {key: decision} of every experiment of the payload
//   core.arms(key)           the payloads of all variants of an experiment that draws; [] where nothing is drawn
//   core.exposed(key)        the place of an experiment is seen: counted once per session, when the page is in front
//   core.inView(element, f)  calls f once the place of an element comes into the window
//   core.on(key, fn)         fn(decision) now and when it changes
//   core.track(event, properties), core.page(properties), core.identify(user, {token, traits}), core.allow(mode, {now})
//   core.send(event)         any event of Segment's form; dropped where consent or a preview forbids it
//   core.recommend(slot, {items, limit})   a promise of {recommendation_id, items}
//   core.fill(element, payload, variant)   does what `data-resonate-text`, `-html`, `-attr` … of one element say
//   core.fragment(html)      HTML as nodes without scripts, handlers and frames; null where the page's policies forbid it
//   core.mayHave(element, name, value)     whether an attribute may be set
//   core.hold(selectors)     hides elements by an adopted style sheet, for a second at most; answers what shows them
//   core.force(key, {variant, payload})    shows this instead: never counted (previews)
//   core.again()             fills slots and calls listeners anew
//   core.sent                what is told of each request: functions (events, answer)
//   core.address(path)       the service's address of a route with the key in it
//   core.service, core.key, core.document, core.script (the `data-*` of its element), core.shop
//
// A page that is tried out (`resonate_preview`, `resonate_force` in its address, or `resonate_preview` kept in
// sessionStorage) sends nothing, and waits for its part before it shows anything.

import { assigned } from "./assign.js";
import { attributesOf } from "./attributes.js";
import { DAY, keep, kept } from "./device.js";
import { expose } from "./exposures.js";
import * as identity from "./identity.js";
import { whenActive, whenIdle, whenInView } from "./moments.js";
import { page, watchPages } from "./pages.js";
import { address, drop, flush, listeners, resume, send, silence } from "./queue.js";
import { arrivedFrom, leadsTo, redirect } from "./redirects.js";
import { controls, embedded, key, nonce, service, shop, told } from "./settings.js";
import { fill, fragment, mayHave, trusted, watchSlots } from "./slots.js";

let features = embedded, fill_again = () => {}, begun = false;
let decided = {}, forced = {}, custom = {};
const watchers = [];
const tried = /[?&]resonate_(preview|force)=/.test(location.search) || !!kept("preview", "sessionStorage");

const attributes = () =>
  attributesOf({
    id: identity.id, userId: identity.user(), url: location.href, referrer: document.referrer, agent: navigator.userAgent,
    language: navigator.language, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone, width: innerWidth,
    counters: identity.state.visits ? identity.state : null, told: custom,
  }, new Date());

const rule = (name) => features && Object.hasOwn(features, name) ? features[name].rules[0] : undefined;
const arms = (name) => (rule(name) && rule(name).variations) || [];

function decide(name) {
  if (forced[name]) return forced[name];
  if (!features || !Object.hasOwn(features, name)) return { variant: "control", payload: null, in_experiment: false, because: features ? "unknown" : "unavailable", forced: false };
  // Who is led to another page loses what is only in this page's memory: such tests wait for the answer.
  const barred = identity.mode == "none" ? "unit" : identity.mode == "ask" && arms(name).some(leadsTo) ? "consent" : undefined;
  return (decided[name] ??= assigned(features[name], attributes(), controls[name] || rule(name)?.meta?.[0].key || "control", barred));
}

const exposed = (name) => expose(name, decide(name), rule(name), attributes());

/** What was decided holds no more: another page, another mode, another visitor. */
function anew() {
  decided = {};
  if (!begun) return;
  fill_again();
  for (const watcher of watchers) watcher();
}

function on(name, then) {
  let last;
  const look = () => {
    const found = decide(name), mark = JSON.stringify([found.variant, found.payload]);
    if (mark == last) return;
    last = mark;
    try {
      then(found);
    } catch (error) {
      console.error(error);
    }
  };
  watchers.push(look);
  if (begun) look();
}

function changedMode() {
  if (identity.mode == "none") drop();
  else if (begun && !identity.state.pages) identity.countPage();
  flush();
  anew();
  if (begun && identity.mode != "none") whenIdle(keepVisitor);
}

const allow = (mode, { now } = {}) => identity.allow(mode, now || !begun) && changedMode();

/** Lets the service set the id again: cookies of its own last longer than those of scripts. */
function keepVisitor() {
  const { state, mode, id } = identity, today = Math.floor(Date.now() / DAY);
  if (!identity.stores() || state.asked == today || (mode == "measure" && state.asked)) return;
  state.asked = today;
  identity.remember();
  const body = JSON.stringify({ visitor_id: id, consent: mode, since: state.first && new Date(state.first).toISOString().slice(0, 10) });
  fetch(address("/v1/visitor"), { method: "POST", body, credentials: "include" }).catch(() => {});
}

/** Hears of pauses and new definitions: they hold for what is not decided yet. */
function listen() {
  if (!identity.stores() || tried || !window.EventSource) return;
  const stream = new EventSource(`${service}/sub/${encodeURIComponent(key)}`);
  stream.addEventListener("features", ({ data }) => {
    try {
      features = JSON.parse(data).features || features;
    } catch {}
  });
  addEventListener("pagehide", () => stream.close());
}

async function recommend(slot, { items, limit } = {}) {
  if (!identity.stores()) return { items: [] };
  const asked = { visitor_id: identity.id, user_id: identity.user() || undefined, user_token: identity.token(), consent: identity.mode, expose: false, recommendations: [{ slot, items, limit }] };
  try {
    const answer = await fetch(address("/v1/personalize"), { method: "POST", body: JSON.stringify({ ...asked, attributes: custom }), credentials: "omit" });
    return (await answer.json()).recommendations[slot] || { items: [] };
  } catch {
    return { items: [] };
  }
}

function identify(user, { token, traits } = {}) {
  const before = identity.user();
  identity.name(user == null ? null : { id: `${user}`, token });
  if (!identity.user()) return;
  if (before != `${user}` || traits) send({ type: "identify", traits: traits || {} });
  if (before != `${user}`) anew();
}

function hold(selectors) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`${selectors.join(",")}{visibility:hidden!important}`);
  document.adoptedStyleSheets.push(sheet);
  const release = () => (document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each != sheet));
  setTimeout(release, 1000);
  return release;
}

const core = {
  get id() { return identity.id; },
  get consent() { return identity.mode; },
  get user() { return identity.user(); },
  attributes, decide, arms, exposed, on, page, identify, allow, send, recommend, fill, fragment, mayHave, hold, address, service, key, document, shop,
  decisions: () => Object.fromEntries(Object.keys(features || {}).map((name) => [name, decide(name)])),
  inView: whenInView,
  track: (event, properties) => send({ type: "track", event, properties: { ...properties, url: location.href } }),
  force: (name, { variant, payload }) => (forced[name] = { variant, payload, in_experiment: false, because: null, forced: true }),
  again: anew,
  sent: listeners,
  script: told,
};

/** The second file, once: a promise that always resolves. */
let parts;
const loadParts = () =>
  (parts ??= new Promise((resolve) => {
    const script = document.createElement("script");
    api._ = (start) => resolve(start(core));
    script.onerror = resolve;
    if (nonce) script.nonce = nonce;
    script.src = trusted(`${service}/${PARTS}`);
    document.head.append(script);
  }).catch(() => {}));

/** Whether something of this page needs the second file. */
const needsParts = () =>
  tried || /[?&]resonate_debug\b/.test(location.search) || told.consent == "gtag" || !!document.querySelector("[data-resonate-products]") ||
  (told.datalayer != "off" && Array.isArray(window[told.datalayer || "dataLayer"])) ||
  Object.keys(features || {}).some((name) => [decide(name).payload, ...(decide(name).in_experiment ? arms(name) : [])].some((payload) => payload && Array.isArray(payload.changes) && payload.changes.some((change) => change && !change.redirect)));

const safely = (act) => (...given) => {
  try {
    return act(...given);
  } catch (error) {
    console.error(error);
  }
};

let arrive;
const ready = new Promise((resolve) => (arrive = resolve));
const api = {
  version: VERSION,
  ready,
  get id() { return identity.id; },
  variant: decide,
  payload: (name, path, fallback) => {
    let value = decide(name).payload;
    for (const part of path ? path.split(".") : []) value = value?.[part];
    return value ?? fallback;
  },
  on, expose: exposed, track: core.track, page, identify, consent: allow, recommend,
  reset: () => (identity.anew(), anew()),
  attributes: (given) => {
    custom = { ...custom, ...given };
    decided = Object.fromEntries(Object.entries(decided).filter(([name]) => document.querySelector(`[data-resonate-done^="${CSS.escape(name)}:"]`)));
    anew();
  },
  push: (...entries) => entries.forEach((entry) => (typeof entry == "function" ? entry(api) : api[entry[0]](...entry.slice(1)))),
};

async function load() {
  if (features) return null;
  try {
    const answer = await fetch(`${service}/api/features/${encodeURIComponent(key)}`, { credentials: "omit" });
    features = (await answer.json()).features;
    if (!features) throw 0;
    if (identity.stores()) keep("features", { at: Date.now(), features });
  } catch {
    const copy = kept("features");
    features = copy && copy.at > Date.now() - 7 * DAY ? copy.features : null;
    return "features";
  }
  return null;
}

/** Shows what was decided, and counts from here on. */
function begin() {
  begun = true;
  const tests = Object.keys(features || {}).filter((name) => arms(name).some(leadsTo)).map((name) => ({ decision: decide(name), exposed: () => exposed(name) }));
  for (const [name, decision] of Object.entries(forced)) if (leadsTo(decision.payload)) tests.push({ decision, exposed: () => {} });
  redirect(tests, () => {
    fill_again = watchSlots(decide, (element, name) => {
      const how = element.getAttribute("data-resonate-expose");
      if (how == "visible") whenInView(element, () => exposed(name));
      else if (how != "manual") exposed(name);
    });
    for (const watcher of watchers) watcher();
    whenActive(() => {
      watchPages({ redirected_from: arrivedFrom() }, () => {
        if (identity.advance()) changedMode();
        identity.countPage();
        anew();
      });
      whenIdle(() => {
        keepVisitor();
        if (Object.keys(features || {}).length) listen();
      });
    });
  });
}

async function start() {
  const queued = Array.isArray(window.resonate) ? window.resonate : [];
  for (const [name, act] of Object.entries(api)) if (typeof act == "function") api[name] = safely(act);
  window.resonate = api;
  if (tried) silence();
  try {
    custom = JSON.parse(told.attributes || "{}");
  } catch {}
  const early = queued.filter((entry) => entry[0] == "consent" || entry[0] == "attributes");
  api.push(...early);
  identity.recognise();
  identity.countPage();
  resume();
  const cause = await load();
  if (needsParts()) {
    const loaded = loadParts();
    if (tried) await Promise.race([loaded, new Promise((resolve) => setTimeout(resolve, 800))]);
  } else addEventListener("load", () => needsParts() && loadParts(), { once: true });
  begin();
  api.push(...queued.filter((entry) => !early.includes(entry)));
  arrive({ ok: !cause, cause });
}

if (!window.resonate || Array.isArray(window.resonate)) start().catch((error) => arrive({ ok: false, cause: `${error}` }));
