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
//   core.send(event), core.flush()         any event of Segment's form; dropped where consent or a preview forbids it
//   core.recommend(slot, {items, limit})   a promise of {recommendation_id, items}
//   core.fill(element, payload, variant)   does what `data-resonate-text`, `-html`, `-attr` … of one element say
//   core.filler              does what `data-resonate-html` says; a part may wrap it: (element, told, payload, put)
//   core.field(payload, path)              what stands at a dotted path
//   core.fragment(html)      HTML as nodes without scripts, handlers and frames; null where the page's policies forbid it
//   core.mayHave(element, name, value)     whether an attribute may be set
//   core.force(key, {variant, payload})    shows this instead: never counted (previews)
//   core.again()             decides, fills slots and calls listeners anew
//   core.sent = f            is told of each request: f(events, answer); with core.debug the service hints, too
//   core.address(path), core.post(path, body)   the service's address of a route with the key in it; a promise of its answer
//   core.service, core.key, core.script (the `data-*` of its element), core.shop
//
// A page that is tried out (`resonate_preview`, `resonate_force` in its address, or `resonate_preview` kept in
// sessionStorage) sends nothing, and waits for its part before it shows anything.

import { assigned } from "./assign.js";
import { attributesOf } from "./attributes.js";
import { DAY, keep, kept } from "./device.js";
import { expose } from "./exposures.js";
import { facts } from "./facts.js";
import { advance, allow, anew, begin, countPage, id, mode, name as login, recognise, remember, state, stores, token, user } from "./identity.js";
import { whenSeen } from "./moments.js";
import { page, watchPages } from "./pages.js";
import { address, drop, flush, post, resume, send, silence } from "./queue.js";
import { agents, controls, core, features as embedded, key, learn, nonce, service, shop, told } from "./settings.js";
import { field, fill, watchSlots } from "./slots.js";

let features, begun, parts, decided, seen, refill = () => {};
const forced = { __proto__: null }, watchers = [], custom = {}, { search } = location;
const tried = /[?&]resonate_(preview|force)=/.test(search) || kept("preview", 1);

const safely = (act) => (...given) => {
  try {
    return act(...given);
  } catch (error) {
    console.error(error);
  }
};

/** All attributes; where nobody asks them, those that the page tells of itself. */
const attributes = () =>
  WHOLE ? attributesOf({ ...facts(), id, userId: user(), families: agents, counters: state.visits && state, told: custom }, new Date()) : { ...custom, id, user_id: user() };
const keys = () => Object.keys(features || {});
const feature = (name) => (keys().includes(name) ? features[name] : null);
const rule = (name) => feature(name)?.rules[0];
/** The payloads of all variants that somebody may be drawn into. */
const arms = (name) => rule(name)?.variations || [];
const changing = (payload) => payload?.changes;
const leading = (payload) => changing(payload)?.some?.((change) => change?.redirect);
/** Whether something holds for a payload that this visitor gets, or would in another arm. */
const some = (test) => keys().some((name) => [decide(name).payload, ...(decide(name).in_experiment ? arms(name) : [])].some(test));

// Who is led to another page loses what is only in this page's memory: until consent is answered, such tests draw nobody.
const decide = (name) =>
  forced[name] || (decided[name] ||= assigned(feature(name), attributes(), feature(name) && controls[name], mode == "none" ? "unit" : WHOLE && mode == "ask" && arms(name).some(leading) && "consent"));

const exposed = (name) => tried || expose(name, decide(name), rule(name), attributes());

const look = () => watchers.forEach((each) => each());

/** What was decided holds no more: another page, another mode, another visitor. */
function again() {
  decided = { __proto__: null };
  seen = {};
  refill();
  if (begun) look();
}

function on(name, then) {
  let last;
  const hear = safely(() => {
    const found = decide(name);
    if (found.variant != last) then(found, (last = found.variant));
  });
  watchers.push(hear);
  if (begun) hear();
  load(); // who listens hears of pauses
}

/** Another mode holds from here on. */
function changed() {
  if (mode == "none") return drop((decided = { __proto__: null })); // what is seen is not taken away under the eyes
  state.asked = 0; // the service hears of it
  if (!state.visits) countPage();
  flush();
  again();
  core.late = 1; // nobody is led away from what they see
  rest(1);
}

const consent = (wanted, { now } = {}) => allow(wanted, now || !begun) && begun && changed();

/** The second file, once; the promise always resolves. */
const load = () =>
  (parts ||= new Promise((resolve) => {
    const script = document.createElement("script"), createHTML = (text) => text, rules = { createHTML, createScriptURL: createHTML };
    core.policy = window.trustedTypes ? trustedTypes.createPolicy("resonate", rules) : rules;
    core.begin = (start) => start(core).then(resolve, resolve).then(() => refill());
    api._ = core;
    script.onerror = resolve;
    script.nonce = nonce;
    script.src = core.policy.createScriptURL(`${service}/${PARTS}`);
    document.head.append(script);
  }).catch(() => {}));

/** Loads the second file where this page uses it: by its elements, its address, or what variants change; once it rests, for all that can wait. */
const rest = (rested) =>
  (tried || /[?&]resonate_debug/.test(search) || told.consent == "gtag" || document.querySelector("[data-resonate-html],[data-resonate-products]") || (WHOLE && some(changing)) || (rested && stores())) &&
  load().then(() => core.settle && core.settle());

/** The second file, where what it does cannot wait, for a moment. */
const patiently = () => Promise.race([load(), new Promise((resolve) => setTimeout(resolve, 800))]);

/** Hides places that are still to come until their changes can be made, for a second at most; never the whole page. */
const hold = /* @__PURE__ */ safely(() => {
  const sheet = new CSSStyleSheet(), coming = [], show = () => (sheet.disabled = true);
  some((payload) => changing(payload)?.forEach?.(({ selector }) => selector && !/\b(html|body)\b[^ >]*$/.test(selector) && !document.querySelector(selector) && coming.push(selector)));
  if (!coming[0] || document.readyState != "loading") return;
  sheet.replaceSync(`:is(${coming}){visibility:hidden!important}`);
  document.adoptedStyleSheets.push(sheet);
  setTimeout(show, 1000);
  load().then(show);
});

const api = {
  variant: decide,
  payload: (name, path, fallback) => field(decide(name).payload, path || "") ?? fallback,
  on, expose: exposed, page, consent,
  track: (event, properties) => send({ type: "track", event, properties: { url: location.href, ...properties } }),
  attributes: (given) => {
    Object.assign(custom, given);
    for (const name in decided) if (!seen[name]) delete decided[name]; // what is seen stays as it is
    refill();
  },
  push: (...entries) => entries.forEach((entry) => (entry.call ? entry(api) : api[entry[0]](...entry.slice(1)))),
};
// What few pages do comes with the second file.
for (const name of ["identify", "reset", "recommend"]) api[name] = (...given) => load().then(() => core[name](...given));
for (const name in api) api[name] = safely(api[name]);
Object.assign(core, api, {
  who: () => [id, mode, user(), token(), state], login, anew, arms, keys, forced, send, flush, fill, field, address, post, again, resume, remember, recognise, tried, service, key, custom, script: told,
  update: (found) => (features = found || features),
});
Object.defineProperty(api, "id", { get: () => id });
api.version = VERSION;

/** Where nothing stands in the script before the library: what the service answers, else what it did the last time. @returns {Promise<object>} */
async function learnt() {
  try {
    const told = await (await fetch(`${service}/api/features/${key}?tag`, { credentials: "omit", signal: AbortSignal.timeout(5000) })).json();
    if (told.features) return { ...told, at: Date.now() };
  } catch {}
  const copy = kept("features");
  return { ...(copy && copy.at > Date.now() - 7 * DAY && copy), cause: "features" };
}

/** Shows what was decided. @returns {Promise<{ok: boolean, cause: ?string}>} */
async function start() {
  const given = window.__resonate || (WHOLE ? await learnt() : {}), cause = given.cause || null;
  const queued = window.resonate || [], run = (early) => queued.forEach((entry) => /^(consent|attributes)$/.test(entry[0]) == early && api.push(entry));
  window.resonate = api;
  learn(given);
  features = embedded;
  core.shop = shop;
  begin();
  if (tried) silence();
  safely(() => Object.assign(custom, JSON.parse(told.attributes || "{}")))();
  run(true);
  recognise();
  if (WHOLE && given.at && stores()) keep("features", given);
  if (id) countPage();
  again();
  // Somebody tries this page out, or an audience asks what few do.
  if (tried || (WHOLE && /"\$(v|el|al|si)/.test(JSON.stringify(features)))) await patiently();
  begun = true;
  if (WHOLE) hold();
  refill = watchSlots(decide, (element, name) => {
    const how = element.getAttribute("data-resonate-expose");
    seen[name] = 1;
    if (how == "visible") load().then(() => core.inView(element, () => exposed(name)));
    else if (how != "manual") exposed(name);
  });
  look();
  run(false);
  follow();
  return { ok: !cause, cause };
}

/** Counts pages from here on. Who is led to another page is counted on that one. */
async function follow() {
  if (WHOLE && some(leading)) await patiently();
  if (core.leaving) return;
  const { to, from } = kept("redirect", 1) || {};
  keep("redirect", null, 1);
  whenSeen(() =>
    watchPages({ redirected_from: to == location.href ? from : undefined }, () => {
      if (advance()) changed();
      if (id) countPage();
      again();
    }),
  );
  rest();
  document.readyState == "complete" ? rest(1) : addEventListener("load", rest);
}

if (!window.resonate || window.resonate.map) {
  const ready = start().catch((error) => ({ ok: false, cause: error + "" }));
  (window.resonate ||= []).ready = api.ready = ready;
}
