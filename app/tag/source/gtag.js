// Consent as gtag's own entries say it, with `data-consent="gtag"`: until a visitor has answered, the question is open.

/** Follows what is and what will be in the data layer. */
export function start(core) {
  if (core.script.consent != "gtag") return;
  const layer = (window[core.script.datalayer || "dataLayer"] ||= []), said = {};
  const read = (entry) => {
    if (!entry || entry[0] != "consent" || !entry[2]) return;
    Object.assign(said, entry[2]);
    const may = (what) => said[what] == "granted";
    // What is denied by default is not answered: banners say so of everybody before they say what was chosen.
    const mode = may("analytics_storage") ? (may("personalization_storage") ? "personal" : "measure") : entry[1] == "update" ? "none" : null;
    if (mode) core.allow(mode, { now: true });
  };
  [...layer].forEach(read);
  const { push } = layer;
  layer.push = (...entries) => {
    const length = push.apply(layer, entries);
    entries.forEach(read);
    return length;
  };
}
