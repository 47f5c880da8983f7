// Which service, key and shop this is: what stands in the script before the library, else the attributes of its element.

const element = document.currentScript || {};
const given = window.__resonate || {};
delete window.__resonate;

/** The element's `data-*` attributes. */
export const told = element.dataset || {};
const source = element.src || "";
const address = source && new URL(source);

export const nonce = element.nonce;
export const key = told.key || given.key || (address && address.searchParams.get("key")) || "";
/** The service's address without a slash at its end: where the script came from, unless `data-service` says another. */
export const service = (told.service || source.replace(/\/resonate[^/]*$/, "")).replace(/\/$/, "");
/** The shop's own: `cookie`, `days`, `domain`, `http_only`, `consent`, `gpc`, `hosts`. */
export const shop = { cookie: "resonate_id", days: 395, consent: "measure", gpc: "measure", hosts: [], ...given.shop };
/** The features of the public payload by experiment key, and the keys of controls that are not called `control`. */
export const embedded = given.features;
export const controls = given.controls || {};
