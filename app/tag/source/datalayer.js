// The page's data layer: what Google's tags are told there (GTM's objects, gtag's arguments) is told the service too, by
// the table that the service reads Google's events with. What was pushed before this part came is read as well, each
// entry once; a page that puts another array in its place is followed there. With `data-consent="gtag"` what the page says
// of consent holds here.
import { GA4 } from "./generated/ga4.js";

const READ = Symbol.for("resonate.read"); // marks a layer that is read already
const INTERNAL = /^gtm\b/;
const LONGEST = 20_000; // of a value as JSON: an event may have 32,768 bytes

const isObject = (value) => Object.prototype.toString.call(value) == "[object Object]";
const renamed = (names, members) => Object.fromEntries(Object.entries(members).map(([name, value]) => [Object.hasOwn(names, name) ? names[name] : name, value]));

/** One of Google's events as a call of ours: what the table says of it, its name and its properties. As `called` of events/dialects/ga4.py. */
export function called(name, parameters) {
  const call = Object.hasOwn(GA4.events, name) ? GA4.events[name] : { event: name };
  const taken = Object.fromEntries(Object.entries(parameters).filter(([each]) => !GA4.never.includes(each)));
  let properties = renamed(GA4.parameters, taken), event = call.event || "";
  let products = properties.items;
  if (Array.isArray(products)) {
    products = properties.products = products.map((item) => (isObject(item) ? renamed(GA4.item, item) : item));
    delete properties.items;
    if (call.single && products.length == 1 && isObject(products[0])) {
      delete properties.products;
      properties = { ...products[0], ...properties };
    }
  } else products = [];
  if (call.worth && properties.value != null) {
    properties.revenue = properties.total = properties.value;
    delete properties.value;
  } else if (call.unvalued && !products.some((product) => isObject(product) && product.price != null)) event = call.unvalued;
  return [call, event, properties];
}

/** What can be told of the members of an object: no functions, no elements, nothing that goes round in circles. */
function tellable(members) {
  const told = {};
  for (const [name, value] of Object.entries(members)) {
    if (INTERNAL.test(name) || value instanceof Node) continue;
    try {
      const text = JSON.stringify(value);
      if (text && text.length < LONGEST) told[name] = JSON.parse(text);
    } catch {}
  }
  return told;
}

/** Follows the consent that gtag is told. Until statistics are granted or denied by an answer nothing has been said. */
function consentOf(core) {
  let granted = {}, abroad = {};
  return (how, given) => {
    for (const storage of Object.keys(GA4.refused)) {
      if (how == "update") delete abroad[storage];
      if (!(storage in given)) continue;
      if (!given.region) granted[storage] = given[storage] == "granted";
      else if (given[storage] == "denied") abroad[storage] = true; // the country of a page is not known: it may be this one
    }
    const allows = (storage) => granted[storage] && !abroad[storage];
    const left = Object.keys(GA4.refused).filter((storage) => !allows(storage)).map((storage) => GA4.refused[storage]);
    if (!left.includes("none")) core.allow(left.includes("measure") ? "measure" : "personal", { now: true });
    else if (how == "update" && granted.analytics_storage === false) core.allow("none", { now: true });
  };
}

export function start(core) {
  const { datalayer, consent } = core.script, off = datalayer == "off";
  const heard = consent == "gtag" ? consentOf(core) : () => {};
  if (off && consent != "gtag") return;
  const named = (!off && datalayer) || "dataLayer", heardOf = new WeakSet(); // entries that another array may hold again
  let ecommerce; // pushed without an event: it is the next one's

  function tell(name, parameters) {
    if (off || typeof name != "string" || INTERNAL.test(name)) return;
    const [call, event, properties] = called(name, tellable(parameters));
    if (!call.left_out && call.type != "page") core.track(event, properties); // pages are counted by the tag itself
  }

  function read(entry) {
    if (Object.prototype.toString.call(entry) == "[object Arguments]") {
      const [command, what, more] = entry, members = isObject(more) ? more : {};
      if (command == "event") tell(what, members);
      else if (command == "consent") heard(what, members);
      else if (command == "config" && members.user_id && !off) core.identify(members.user_id);
    } else if (isObject(entry)) {
      const { event, ecommerce: own, ...rest } = entry;
      if (own !== undefined) ecommerce = isObject(own) ? own : undefined;
      if (typeof event != "string" || INTERNAL.test(event)) return;
      tell(event, { ...rest, ...(own || Object.hasOwn(GA4.events, event) ? ecommerce : {}) });
      ecommerce = undefined;
    }
  }

  const safely = (entry) => {
    try {
      if (Object(entry) === entry) heardOf.add(entry);
      read(entry);
    } catch (error) {
      console.error(error);
    }
  };
  function listen(layer) {
    if (!Array.isArray(layer) || layer[READ]) return;
    Object.defineProperty(layer, READ, { value: true });
    const { push } = layer;
    layer.push = function (...entries) {
      const answer = push.apply(this, entries);
      entries.forEach(safely);
      return answer;
    };
    layer.filter((entry) => !heardOf.has(entry)).forEach(safely);
  }
  let layer = (window[named] ??= []);
  listen(layer);
  try {
    const set = (other) => listen((layer = other));
    Object.defineProperty(window, named, { configurable: true, enumerable: true, get: () => layer, set });
  } catch {} // declared by `var`, it can be no other property
}
