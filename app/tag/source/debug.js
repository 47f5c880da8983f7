// `resonate_debug` in the address: what this page decided and why, what is known of the visitor, what was sent and answered.

import { button, element, panel } from "./panel.js";

const MOST_EVENTS = 100;
const WHY = {
  audience: "the audience does not hold for this visitor", traffic: "not among the share of traffic", layer: "another experiment of its layer has this visitor",
  holdout: "held out", unit: "nobody to draw: no user, or consent is none", consent: "waits for an answer about consent", disabled: "paused, ended, or shipped to nobody",
  unknown: "no such experiment is served to this key", unavailable: "the service could not be reached",
};

const row = (...cells) => element("tr", cells.map((cell) => element("td", cell)));
const table = (heads, rows) => element("table", [element("tr", heads.map((head) => element("th", head))), ...rows]);
const json = (value) => (typeof value == "string" ? value : JSON.stringify(value) ?? "");
const reason = ({ in_experiment, forced, because }) => (forced ? "previewed, not counted" : in_experiment ? "drawn" : WHY[because] || because || "shown to everybody of the audience");

/** What the service said of each event of a request: refused, repaired or hinted, else stored. */
function verdicts(events, answer) {
  if (!answer) return events.map(() => ["not answered, it is sent again", "bad"]);
  const said = events.map(() => []);
  for (const [member, word, tone] of [["rejected", "refused", "bad"], ["repaired", "repaired", "hint"], ["hints", "hint", "hint"]])
    for (const each of Array.isArray(answer[member]) ? answer[member] : []) {
      const place = Number.isInteger(each.index) ? each.index : events.findIndex(({ messageId }) => messageId == (each.messageId ?? each.message_id));
      said[place]?.push([`${word}: ${each.field ? `${each.field}: ` : ""}${each.message || each.code}`, tone]);
    }
  return said.map((found) => (found.length ? [found.map(([text]) => text).join("; "), found.some(([, tone]) => tone == "bad") ? "bad" : "hint"] : ["stored", ""]));
}

/** @param {object} core what the tag offers its parts */
export function start(core) {
  if (!/[?&]resonate_debug\b/.test(location.search)) return;
  const draw = panel("debug"), sent = [];
  let open = true;
  const show = () => {
    const title = element("span", [element("b", "Resonate"), ` consent: ${core.consent} · visitor: ${core.id ?? "nobody"}`, button(open ? "fold" : "unfold", () => ((open = !open), show()))]);
    if (!open) return draw(title);
    const decisions = Object.entries(core.decisions()).map(([key, found]) => row(key, found.variant, reason(found)));
    const attributes = Object.entries(core.attributes()).map(([name, value]) => row(name, json(value)));
    const events = sent.map(([event, [said, tone]]) => row(event.event || event.type, json(event.properties || {}), element("span", said, tone)));
    draw(
      title,
      element("h2", "Variants"), table(["experiment", "variant", "why"], decisions),
      element("h2", "Sent"), table(["event", "properties", "what became of it"], events),
      element("h2", "Attributes"), table(["name", "value"], attributes),
    );
  };
  core.debug = true; // the service hints at what it would tell a secret key
  core.sent = (events, answer) => {
    const said = verdicts(events, answer);
    events.forEach((event, place) => sent.unshift([event, said[place]]));
    sent.length = Math.min(sent.length, MOST_EVENTS);
    show();
  };
  for (const key of Object.keys(core.decisions())) core.on(key, show);
  show();
}
