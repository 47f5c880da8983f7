// Places of the page that show what a variant says: filled when they appear, each once, and again where a framework undoes it.

import { at } from "./paths.js";
import { core } from "./settings.js";

const MOST_AGAIN = 5;
const SLOT = "data-resonate", SLOTS = `[${SLOT}]`, DONE = SLOT + "-done";

/** What stands at a dotted path of a payload; empty is the payload itself. */
export const field = (payload, path) => (path.trim() ? at(payload, path.trim()) : payload);

/** Whether an attribute may be set: nothing that runs; and but for plain texts only addresses of http(s), mailto, tel, and relative ones. */
export function mayHave({ localName }, name, value) {
  if (/^(on|style$|srcdoc$|data-resonate|(data-)?(hx|ng|v|x)-)|[^\w:.-]/i.test(name) || /^(script|i?frame|object|embed|base|meta|link|set|animate\w*|template|noscript)$/.test(localName)) return;
  try {
    return /^((alt|title|value|placeholder|label)$|aria-|data-)/i.test(name) || /^(https?|mailto|tel):/.test(new URL(value, document.baseURI));
  } catch {}
}

const text = (value) => (value == null || value instanceof Object ? null : value + "");

/** Fills one element as its `data-resonate-*` say. @returns {boolean} whether anything had to be changed */
export function fill(element, payload, variant) {
  let changed = false;
  const { style, classList } = element, told = (name) => element.getAttribute(`${SLOT}-${name}`);
  const value = (name) => (told(name) == null ? null : field(payload, told(name)));
  const put = (wanted, now, write) => {
    if (wanted == null || wanted === now) return;
    write(wanted);
    changed = true;
  };
  put(text(value("text")), element.textContent, (wanted) => (element.textContent = wanted));
  for (const pair of (told("attr") || "").split(";")) {
    const [name, path] = pair.split(/:(?=[^:]*$)/).map((part) => part.trim()), wanted = path == null ? null : text(field(payload, path));
    if (mayHave(element, name, wanted)) put(wanted, element.getAttribute(name), () => element.setAttribute(name, wanted));
  }
  for (const name of (text(value("class")) || "").split(/\s+/)) put(!!name || null, classList.contains(name || SLOT), () => classList.add(name));
  const only = told("variant"), shown = value("show"), hidden = value("hide");
  const reasons = [only && only == variant, shown == null ? null : !!shown, hidden == null ? null : !hidden].filter((each) => each != null);
  put(reasons[0] == null ? null : reasons.every(Boolean), !element.hidden && style.display != "none", (wanted) => {
    element.hidden = !wanted;
    style.setProperty("display", wanted ? "" : "none", "important");
  });
  if (core.filler) core.filler(element, told, payload, put);
  return changed;
}

/**
 * Fills every `[data-resonate]` that is there or appears.
 * @param {(key: string) => {variant: string, payload: any}} decide
 * @param {(element: Element, key: string) => void} seen called once for each that is filled
 * @returns {() => void} fills them anew
 */
export function watchSlots(decide, seen) {
  const applied = new WeakMap(); // element → {done, times}: with what it was marked, and how often that was undone
  const apply = (element) => {
    try {
      if (element.hasAttribute(SLOT + "-html") && !core.filler) return; // the second file comes
      const key = element.getAttribute(SLOT), { variant, payload } = decide(key), done = `${key}:${variant}`;
      let was = applied.get(element);
      if (!was || was.done != done) {
        applied.set(element, { done, times: 0 });
        was = null;
      } else if (was.times >= MOST_AGAIN) return;
      const changed = fill(element, payload, variant), unmarked = element.getAttribute(DONE) != done;
      if (unmarked) element.setAttribute(DONE, done);
      if (!was) seen(element, key);
      else if (changed || unmarked) was.times++;
    } catch {
      element.setAttribute(DONE, ""); // visible, whatever happened
    }
  };
  const all = (root) => root.querySelectorAll(SLOTS).forEach(apply);
  new MutationObserver((records) => {
    for (const target of new Set(records.map((record) => record.target))) {
      const slot = (target.closest ? target : target.parentElement)?.closest(SLOTS);
      if (slot) apply(slot);
      if (target.firstElementChild) all(target);
    }
  }).observe(document, { childList: true, subtree: true, characterData: true, attributes: true });
  all(document);
  return () => all(document);
}
