// Places of the page that show what a variant says: filled when they appear, each once, and again where a framework undoes it.

const MOST_AGAIN = 5;
const ADDRESSES = /^(href|src|action|formaction|poster|cite|data|ping|srcset|xlink:href)$/i;
const REFUSED_NAMES = /^(on.*|style|srcdoc|data-resonate.*)$|[^\w:.-]/i;
const REFUSED_ELEMENTS = /^(script|iframe|frame|object|embed|base|meta|link)$/i;

/** What stands at a dotted path of a payload; empty is the payload itself. */
export function field(payload, path) {
  let value = payload;
  for (const name of path.trim() ? path.trim().split(".") : []) value = value != null && typeof value == "object" && Object.hasOwn(value, name) ? value[name] : null;
  return value;
}

/** Whether an address may be put into a page: http(s), mailto, tel, and relative ones. */
export function isAddress(value) {
  try {
    return /^(https?|mailto|tel):$/.test(new URL(value, document.baseURI).protocol);
  } catch {
    return false;
  }
}

/** HTML as nodes, without what runs or loads others' pages. */
export let fragment = () => null;
let trusted = (url) => url;
try {
  const clean = (html) => html;
  const policy = window.trustedTypes ? trustedTypes.createPolicy("resonate", { createHTML: clean, createScriptURL: clean }) : { createHTML: clean, createScriptURL: clean };
  trusted = (url) => policy.createScriptURL(url);
  fragment = (html) => {
    const template = document.createElement("template");
    template.innerHTML = policy.createHTML(html);
    for (const element of template.content.querySelectorAll("*")) {
      if (REFUSED_ELEMENTS.test(element.localName) || element.localName == "style") element.remove();
      for (const { name, value } of [...element.attributes]) if (!mayHave(element, name, value)) element.removeAttribute(name);
    }
    return template.content;
  };
} catch {} // the page's policies let nobody write HTML: texts are shown all the same
export { trusted };

export const mayHave = (element, name, value) =>
  !REFUSED_NAMES.test(name) && !REFUSED_ELEMENTS.test(element.localName) && (!ADDRESSES.test(name) || isAddress(value));

const text = (value) => (value == null || typeof value == "object" ? null : `${value}`);
const show = (element, shown) => {
  if (element.hidden == shown || (element.style.display == "none") == shown) {
    element.hidden = !shown;
    element.style.setProperty("display", shown ? "" : "none", "important");
    return true;
  }
};
const written = new WeakMap(); // the HTML that was asked for, because what it became reads otherwise

/** What each `data-resonate-*` does; true where the page was not so before. */
const FILLS = {
  text: (element, at) => {
    const wanted = text(at());
    if (wanted == null || element.textContent == wanted) return false;
    element.textContent = wanted;
    return true;
  },
  html: (element, at) => {
    const wanted = text(at()), before = written.get(element);
    if (wanted == null || (before && before[0] == wanted && before[1] == element.innerHTML)) return false;
    const content = fragment(wanted);
    if (!content) return false;
    element.replaceChildren(content);
    written.set(element, [wanted, element.innerHTML]);
    return true;
  },
  attr: (element, at, told) =>
    told.split(";").map((pair) => {
      const [name, path] = pair.split(/:(.*)/s).map((part) => part.trim()), wanted = path == null ? null : text(at(path));
      if (wanted == null || element.getAttribute(name) == wanted || !mayHave(element, name, wanted)) return false;
      element.setAttribute(name, wanted);
      return true;
    }).includes(true),
  class: (element, at) => {
    const missing = (text(at()) || "").split(/\s+/).filter((name) => name && !element.classList.contains(name));
    element.classList.add(...missing);
    return missing.length > 0;
  },
  show: (element, at) => at() != null && show(element, !!at()),
  hide: (element, at) => at() != null && show(element, !at()),
};

/** Fills one element as its `data-resonate-*` say. @returns {boolean} whether anything had to be changed */
export function fill(element, payload, variant) {
  let changed = false;
  for (const [name, write] of Object.entries(FILLS)) {
    const told = element.getAttribute("data-resonate-" + name);
    if (told != null) changed = write(element, (path = told) => field(payload, path), told) || changed;
  }
  const only = element.getAttribute("data-resonate-variant");
  return (only != null && show(element, only == variant)) || changed;
}

/**
 * Fills every `[data-resonate]` that is there or appears.
 * @param {(key: string) => {variant: string, payload: any}} decide @param {(element: Element, key: string) => void} seen
 * called once for each that is filled
 * @returns {() => void} fills them anew
 */
export function watchSlots(decide, seen) {
  const applied = new WeakMap(); // element → {done, times}: with what it was marked, and how often that was undone
  const apply = (element) => {
    try {
      const key = element.getAttribute("data-resonate"), { variant, payload } = decide(key), done = `${key}:${variant}`;
      let was = applied.get(element);
      const fresh = !was || was.done != done;
      if (fresh) applied.set(element, (was = { done, times: 0 }));
      else if (was.times >= MOST_AGAIN) return;
      const changed = fill(element, payload, variant), marked = element.getAttribute("data-resonate-done") == done;
      if (!marked) element.setAttribute("data-resonate-done", done);
      if (fresh) seen(element, key);
      else if (changed || !marked) was.times++;
    } catch {
      element.setAttribute("data-resonate-done", ""); // visible, whatever happened
    }
  };
  const all = (root) => root.querySelectorAll("[data-resonate]").forEach(apply);
  new MutationObserver((records) => {
    const touched = new Set();
    for (const { target, addedNodes } of records) {
      const slot = (target.closest ? target : target.parentElement)?.closest("[data-resonate]");
      if (slot) touched.add(slot);
      for (const node of addedNodes) {
        if (node.nodeType != 1) continue;
        if (node.matches("[data-resonate]")) touched.add(node);
        node.querySelectorAll("[data-resonate]").forEach((inside) => touched.add(inside));
      }
    }
    touched.forEach(apply);
  }).observe(document, { childList: true, subtree: true, characterData: true, attributes: true });
  all(document);
  return () => all(document);
}
