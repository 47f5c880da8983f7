// Which service, key and shop this is: what stands in the script before the library, else the attributes of its element.

const element = document.currentScript || {}, source = element.src || "";

/** The element's `data-*` attributes. */
export const told = element.dataset || {};
export const { nonce } = element;
/** The key as it stands in addresses. */
export const key = encodeURIComponent(told.key || (/[?&]key=([^&]*)/.exec(source) || [])[1] || "");
/** The service's address without a slash at its end: where the script came from, unless `data-service` says another. */
export const service = (told.service || source.replace(/\/resonate[^/]*$/, "")).replace(/\/$/, "");
/**
 * What the service tells pages, in the script or where the bare library asks: of the public payload the features by
 * experiment key, keys of controls that are not called `control`, patterns of user agents where an audience asks them,
 * and of the shop `cookie`, `days`, `domain`, `http_only`, `consent`, `gpc` and `hosts`.
 */
export let features, controls, agents, shop;
export const learn = ({ features: given, controls: named = {}, agents: families = {}, shop: ours }) => {
  features = given;
  controls = named;
  agents = families;
  shop = WHOLE && !ours ? { cookie: "resonate_id", days: 395, consent: "measure", gpc: "measure" } : ours;
};
/** What parts are given. */
export const core = {};
