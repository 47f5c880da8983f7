// What parts are given besides, and pages that ask for it: HTML, places in the window, rare operators.

import { attributesOf } from "./attributes.js";
import { BROWSERS, DEVICES, SYSTEMS } from "./generated/agents.js";
import { facts } from "./facts.js";
import { rarely } from "./operators.js";
import { mayHave } from "./slots.js";

const FAMILIES = { device: DEVICES, browser: BROWSERS, os: SYSTEMS };

/** Gives core what `core.js` tells of it beyond what it brings itself. */
export function extras(core) {
  /** HTML as nodes, without what runs or loads others' pages; null where the page's policies forbid it. */
  function fragment(html) {
    const template = document.createElement("template");
    try {
      template.innerHTML = core.policy.createHTML(html);
    } catch {
      return null;
    }
    for (const element of template.content.querySelectorAll("*")) {
      if (!mayHave(element, "title", "") || element.localName == "style") element.remove();
      for (const { name, value } of [...element.attributes]) if (!mayHave(element, name, value)) element.removeAttribute(name);
    }
    return template.content;
  }

  const written = new WeakMap(); // what HTML became reads otherwise than it was written
  core.filler = (element, told, payload, put) => {
    const path = told("html");
    if (path == null) return;
    const wanted = core.field(payload, path), [before, became] = written.get(element) || [];
    put(typeof wanted == "string" ? wanted : null, became === element.innerHTML ? before : undefined, () => {
      const content = fragment(wanted);
      if (content) element.replaceChildren(content);
      written.set(element, [wanted, element.innerHTML]);
    });
  };

  /** Calls once a place comes into the window. It is watched by a mark before it, so that an empty one counts too. */
  function inView(element, then) {
    const mark = document.createElement("span");
    mark.style.position = "absolute";
    element.before(mark);
    new IntersectionObserver((entries, watch) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      mark.remove();
      then();
    }).observe(mark);
  }

  /** Shows this instead of what was decided; it is never counted. */
  const force = (name, { variant, payload }) => (core.forced[name] = { variant, payload, in_experiment: false, because: null, forced: true });

  const decisions = () => Object.fromEntries([...new Set([...core.keys(), ...Object.keys(core.forced)])].map((name) => [name, core.decide(name)]));
  Object.assign(core, { rarely, force, fragment, inView, mayHave, decisions });
  Object.assign(core, { decide: core.variant, exposed: core.expose, allow: core.consent });
  core.attributes = () => attributesOf({ ...facts(), id: core.id, userId: core.user, counters: core.who()[4].visits && core.who()[4], families: FAMILIES, told: core.custom }, new Date());
  ["id", "consent", "user", "token"].forEach((name, place) => Object.defineProperty(core, name, { get: () => core.who()[place], configurable: true }));
}
