// What this browser keeps, and nothing that consent does not allow: cookies, and `resonate_*` in its storage.

import { shop } from "./settings.js";

export const DAY = 864e5;
const PREFIX = "resonate_";
/** What was answered about consent, and the name of the last beacon whose events the service has stored. */
export const CONSENT = PREFIX + "consent", LEFT = PREFIX + "left";

/** The value of a cookie; undefined where there is none that can be read. */
export function cookie(name) {
  try {
    return decodeURIComponent(document.cookie.split("; ").find((pair) => pair.startsWith(name + "=")).slice(name.length + 1));
  } catch {}
}

/** Sets a cookie of the shop for so many days; 0 takes it away, that of the host as well. */
export function setCookie(name, value, days) {
  const domain = shop.domain && `.${location.hostname}`.endsWith("." + shop.domain) ? ";Domain=" + shop.domain : "";
  for (const where of days ? [domain] : ["", domain])
    document.cookie = `${name}=${encodeURIComponent(value)};Path=/;SameSite=Lax;Max-Age=${Math.round(days * 86400)}${where}${location.protocol == "https:" ? ";Secure" : ""}`;
}

const area = (session, use) => {
  try {
    return use(session ? sessionStorage : localStorage);
  } catch {} // blocked, full, or not JSON
};

/** What was kept under a name, if anything. */
export const kept = (name, session) => area(session, (storage) => JSON.parse(storage.getItem(PREFIX + name)));

/** Keeps a value; null takes it away. */
export const keep = (name, value, session) => area(session, (storage) => (value ? storage.setItem(PREFIX + name, JSON.stringify(value)) : storage.removeItem(PREFIX + name)));

/** Takes everything away that the tag has ever kept here, but for a preview. */
export function forget() {
  for (const session of [0, 1]) area(session, (storage) => Object.keys(storage).forEach((name) => /^resonate_(?!preview)/.test(name) && storage.removeItem(name)));
  for (const name of [CONSENT, LEFT, shop.cookie]) if (cookie(name)) setCookie(name, "", 0);
}

/** 128 random bits as text. */
export const random = () => [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36).padStart(7, 0)).join("");
