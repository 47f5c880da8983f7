// What this browser keeps, and nothing that consent does not allow: cookies, and `resonate_*` in its storage.

import { shop } from "./settings.js";

export const DAY = 864e5;
const PREFIX = "resonate_";

/** The value of a cookie; undefined where there is none that can be read. */
export function cookie(name) {
  for (const pair of document.cookie.split("; ")) {
    try {
      if (pair.startsWith(name + "=")) return decodeURIComponent(pair.slice(name.length + 1));
    } catch {}
  }
}

/** Sets a cookie of the shop for so many days; 0 takes it away, that of the host as well. */
export function setCookie(name, value, days) {
  const within = shop.domain && `.${location.hostname}`.endsWith("." + shop.domain);
  for (const domain of within ? (days ? [1] : [0, 1]) : [0])
    document.cookie = `${name}=${encodeURIComponent(value)};Path=/;SameSite=Lax;Max-Age=${Math.round(days * 86400)}${domain ? ";Domain=" + shop.domain : ""}${location.protocol == "https:" ? ";Secure" : ""}`;
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
  for (const name of [PREFIX + "consent", shop.cookie]) if (cookie(name)) setCookie(name, "", 0);
}

/** 128 random bits as text. */
export const random = () => [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36).padStart(7, 0)).join("");
