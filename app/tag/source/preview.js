// A page that is tried out: `resonate_preview=TOKEN` (a link, drafts too) or `resonate_force=KEY:VARIANT` (what runs) in the
// address, kept for the session. The service says what is shown; nothing of such a page is counted or sent.

import { button, element, panel } from "./panel.js";

const NAME = "resonate_preview", PARAMETERS = ["resonate_preview", "resonate_force"];

function session(value) {
  try {
    if (value === null) sessionStorage.removeItem(NAME);
    else if (value) sessionStorage.setItem(NAME, JSON.stringify(value));
    return JSON.parse(sessionStorage.getItem(NAME));
  } catch {
    return value;
  }
}

/** When a token ends, in epoch milliseconds: only to be read, it is the service that holds it to this. */
function endOf(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).exp * 1000 || 0;
  } catch {
    return 0;
  }
}

function leave() {
  session(null);
  const here = new URL(location.href);
  for (const name of PARAMETERS) here.searchParams.delete(name);
  here.href == location.href ? location.reload() : location.replace(here.href);
}

/** What the service shows to who holds these. */
async function asked(core, wanted) {
  // What is shown by a link or by name depends on nobody: neither the visitor nor what is known of them is told.
  const body = { visitor_id: "resonate-preview", consent: "measure", expose: false };
  const answer = await fetch(`${core.address("/v1/personalize")}&${new URLSearchParams(wanted)}`, { method: "POST", body: JSON.stringify(body), credentials: "omit" });
  if (!answer.ok) throw new Error(`the service answers ${answer.status}`);
  return answer.json();
}

/** @param {object} core what the tag offers its parts */
export async function start(core) {
  const here = new URLSearchParams(location.search);
  const given = PARAMETERS.flatMap((name) => here.getAll(name).map((value) => [name, value]));
  const wanted = given.length ? given : session();
  if (!Array.isArray(wanted) || !wanted.length) return;
  session(wanted);
  const badge = panel("preview"), way_out = button("leave", leave);
  try {
    const answer = await asked(core, wanted);
    const shown = Object.entries(answer.experiments || {}).filter(([, found]) => found.forced);
    for (const [key, found] of shown) core.force(key, found);
    core.again();
    const ends = Math.min(...wanted.filter(([name]) => name == NAME).map(([, token]) => endOf(token)).filter(Boolean));
    const until = Number.isFinite(ends) ? `, until ${new Date(ends).toLocaleString()}` : "";
    const told = shown.map(([key, { variant }]) => `${key}: ${variant}`).join(", ");
    const over = answer.preview == "expired" ? " The link is over, or is not for this service." : "";
    badge(told ? `Preview of ${told}${until}; nothing is counted.` : "Nothing to preview.", over, way_out);
    if (!shown.length) session(null);
  } catch (error) {
    badge(element("span", `Preview: ${error.message}.`, "bad"), way_out);
  }
}
