// Which service, key and shop this is: what stands in the script before the library, else the attributes of its element.

import { BROWSERS, DEVICES, SYSTEMS } from "./generated/agents.js";

const element = document.currentScript || {}, given = window.__resonate || {}, source = element.src || "";

/** The element's `data-*` attributes. */
export const told = element.dataset || {};
export const nonce = element.nonce;
/** The key as it stands in addresses. */
export const key = encodeURIComponent(told.key || (/[?&]key=([^&]*)/.exec(source) || [])[1] || "");
/** The service's address without a slash at its end: where the script came from, unless `data-service` says another. */
export const service = (told.service || source.replace(/\/resonate[^/]*$/, "")).replace(/\/$/, "");
/** The shop's own: `cookie`, `days`, `domain`, `http_only`, `consent`, `gpc`, `hosts`. */
export const shop = { cookie: "resonate_id", days: 395, consent: "measure", gpc: "measure", ...given.shop };
/** Of the public payload the features by experiment key, keys of controls that are not called `control`, patterns of user agents; attributes that the service tells. */
export const { features: embedded, controls = {}, attributes: custom = {}, agents = BARE ? { device: DEVICES, browser: BROWSERS, os: SYSTEMS } : {} } = given;
/** What parts are given. */
export const core = {};
