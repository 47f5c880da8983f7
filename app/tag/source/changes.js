// Changes of the page that a variant declares, made when their places appear, again where a framework undoes them, and
// taken back when another variant is to be seen. Every arm of a test watches the same places, so that control is counted
// at the same place and moment.

const MOST_AGAIN = 5;

const text = (value) => (value != null && typeof value != "object" ? `${value}` : null);
const list = (value) => (Array.isArray(value) ? value.filter((each) => each && typeof each == "string") : []);
const pairs = (value) => (value && typeof value == "object" && !Array.isArray(value) ? Object.entries(value) : []);

/** The changes of a payload that are made of a page; a redirect is made before. */
const changesOf = (payload) =>
  (payload && Array.isArray(payload.changes) ? payload.changes : []).filter((each) => each && typeof each.selector == "string" && sound(each.selector));

function sound(selector) {
  try {
    return !!document.createDocumentFragment().querySelectorAll(selector);
  } catch {
    return false;
  }
}

/** Puts other nodes into an element. @returns {() => void} brings its own ones back, unless others stand there by now */
function replaced(element, nodes) {
  const own = [...element.childNodes];
  element.replaceChildren(...nodes);
  const put = [...element.childNodes];
  return () => put.length == element.childNodes.length && put.every((node, place) => node == element.childNodes[place]) && element.replaceChildren(...own);
}

function styled(element, name, value, priority) {
  const before = [element.style.getPropertyValue(name), element.style.getPropertyPriority(name)];
  element.style.setProperty(name, value, priority);
  return () => element.style.setProperty(name, ...before);
}

/**
 * What each member of a change does: whether an element is so already, and how it becomes so. Making it so answers what
 * takes it back; nothing where the page lets nobody do it.
 */
const ACTIONS = (core) => ({
  text: (wanted) => text(wanted) != null && {
    is: (element) => element.textContent == text(wanted),
    make: (element) => replaced(element, [text(wanted)]),
  },
  html: (wanted) => text(wanted) != null && {
    is: (element, made) => made.html == element.innerHTML,
    make: (element, made) => {
      const content = core.fragment(text(wanted));
      if (!content) return null;
      const back = replaced(element, [...content.childNodes]);
      made.html = element.innerHTML;
      return back;
    },
  },
  attribute: (wanted) => ({
    is: (element) => pairs(wanted).every(([name, value]) => !core.mayHave(element, name, text(value) ?? "") || element.getAttribute(name) === text(value)),
    make: (element) => {
      const may = pairs(wanted).filter(([name, value]) => core.mayHave(element, name, text(value) ?? ""));
      const before = may.map(([name]) => [name, element.getAttribute(name)]);
      const set = ([name, value]) => (text(value) == null ? element.removeAttribute(name) : element.setAttribute(name, text(value)));
      may.forEach(set);
      return () => before.forEach(set);
    },
  }),
  class: (wanted) => ({
    is: (element) => list(wanted?.add).every((name) => element.classList.contains(name)) && !list(wanted?.remove).some((name) => element.classList.contains(name)),
    make: (element) => {
      const before = [...list(wanted?.add), ...list(wanted?.remove)].map((name) => [name, element.classList.contains(name)]);
      element.classList.add(...list(wanted?.add));
      element.classList.remove(...list(wanted?.remove));
      return () => before.forEach(([name, had]) => element.classList.toggle(name, had));
    },
  }),
  style: (wanted) => ({
    is: (element, made) => !!made.style && made.style.every(([name, value]) => element.style.getPropertyValue(name) == value),
    make: (element, made) => {
      const backs = pairs(wanted).map(([name, value]) => {
        const [plain, important] = `${text(value)}`.split(/\s*!\s*(important)\s*$/i);
        return styled(element, name, plain, important || "");
      });
      made.style = pairs(wanted).map(([name]) => [name, element.style.getPropertyValue(name)]);
      return () => backs.reverse().forEach((back) => back());
    },
  }),
  hide: (wanted) => wanted === true && {
    is: (element) => element.style.getPropertyValue("display") == "none",
    make: (element) => styled(element, "display", "none", "important"),
  },
  insert: (wanted) => wanted && text(wanted.html) != null && PLACES[wanted.where] && {
    is: (_, made) => !!made.nodes && (!made.nodes.length || made.nodes.some((node) => node.isConnected)),
    make: (element, made) => {
      const content = core.fragment(text(wanted.html));
      if (!content) return null;
      for (const node of made.nodes || []) node.remove();
      made.nodes = [...content.childNodes];
      element[PLACES[wanted.where]](content);
      return () => made.nodes.forEach((node) => node.remove());
    },
  },
});
const PLACES = { before: "before", after: "after", first: "prepend", last: "append" };

/** One change of the page: made of each element that its selector finds. */
class Change {
  constructor(change, actions) {
    this.selector = change.selector;
    this.acts = Object.entries(actions).map(([name, of]) => name in change && of(change[name])).filter(Boolean);
    this.made = new Map(); // element → for each act what takes it back, and how often it was made anew
  }

  apply() {
    for (const element of document.querySelectorAll(this.selector)) this.applyTo(element);
    for (const element of this.made.keys()) if (!element.isConnected) this.made.delete(element);
  }

  applyTo(element) {
    let made = this.made.get(element);
    if (!made) this.made.set(element, (made = { times: 0, backs: [], notes: this.acts.map(() => ({})) }));
    if (made.times > MOST_AGAIN) return;
    let anew = false;
    this.acts.forEach((act, place) => {
      if (act.is(element, made.notes[place])) return;
      const back = act.make(element, made.notes[place]);
      made.backs[place] ??= back; // the first one knows what the page itself had there
      anew = anew || !!back;
    });
    made.times += anew;
  }

  undo() {
    for (const [element, made] of this.made) if (element.isConnected) made.backs.reverse().forEach((back) => back?.());
    this.made.clear();
  }
}

/** One experiment: the places that all its arms change, and the changes that are to be seen now. */
class Test {
  constructor(key, core, actions) {
    Object.assign(this, { key, core, actions, changes: [], counted: false, shown: null });
    this.places = [...new Set([core.decide(key).payload, ...core.arms(key)].flatMap(changesOf).map((each) => each.selector))].join();
  }

  show(decision) {
    const wanted = JSON.stringify(changesOf(decision.payload));
    if (wanted != this.shown) {
      [...this.changes].reverse().forEach((change) => change.undo());
      this.changes = changesOf(decision.payload).map((change) => new Change(change, this.actions));
      [this.shown, this.counted] = [wanted, false];
    }
    this.apply();
  }

  apply() {
    this.count();
    for (const change of this.changes) change.apply();
  }

  /** Counts whoever sees the first of the places, before anything is changed there. */
  count() {
    const place = !this.counted && this.places && document.querySelector(this.places);
    if (!place) return;
    this.counted = true;
    const how = place.getAttribute("data-resonate-expose"), seen = () => this.core.exposed(this.key);
    if (how == "visible") this.core.inView(place, seen);
    else if (how != "manual") seen();
  }
}

/** @param {object} core what the tag offers its parts */
export function start(core) {
  const actions = ACTIONS(core);
  const tests = Object.keys(core.decisions()).map((key) => new Test(key, core, actions)).filter((test) => test.places);
  if (!tests.length) return;
  for (const test of tests) core.on(test.key, (decision) => test.show(decision));
  core.held = () => tests.filter((test) => test.counted).map((test) => test.key);
  core.changed = () => tests.forEach((test) => test.counted || test.show(core.decide(test.key)));
  new MutationObserver(() => {
    for (const test of tests) if (test.shown != null) test.apply();
  }).observe(document, { childList: true, subtree: true, attributes: true, characterData: true });
}
