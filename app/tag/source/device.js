// What this browser keeps, and nothing that consent does not allow: cookies, and `resonate_*` in its storage.

import { shop } from "./settings.js";

export const DAY = 864e5;

/** The value of a cookie, else null. */
export function cookie(name) {
  for (const pair of document.cookie.split("; ")) {
    if (pair.startsWith(name + "=")) {
      try {
        return decodeURIComponent(pair.slice(name.length + 1)) || null;
      } catch {}
    }
  }
  return null;
}

/** Sets a cookie of the shop for so many days; 0 takes it away, of the host as well. */
export function setCookie(name, value, days) {
  const line = `${name}=${encodeURIComponent(value)};Path=/;SameSite=Lax;Max-Age=${Math.round(days * 86400)}${location.protocol == "https:" ? ";Secure" : ""}`;
  const within = shop.domain && `.${location.hostname}`.endsWith(`.${shop.domain}`);
  if (!within || !days) document.cookie = line;
  if (within) document.cookie = `${line};Domain=${shop.domain}`;
}

const area = (name, use) => {
  try {
    return use(window[name]);
  } catch {} // blocked, full, or not JSON
};

/** What was kept under a name, else undefined. */
export const kept = (name, where = "localStorage") => area(where, (storage) => JSON.parse(storage.getItem("resonate_" + name)) ?? undefined);

/** Keeps a value; undefined takes it away. */
export const keep = (name, value, where = "localStorage") =>
  area(where, (storage) => (value === undefined ? storage.removeItem("resonate_" + name) : storage.setItem("resonate_" + name, JSON.stringify(value))));

/** Takes everything away that the tag has ever kept here, but for a preview. */
export function forget() {
  for (const where of ["localStorage", "sessionStorage"])
    area(where, (storage) => Object.keys(storage).forEach((name) => /^resonate_(?!preview)/.test(name) && storage.removeItem(name)));
  for (const name of ["resonate_id", "resonate_consent", shop.cookie]) if (cookie(name) !== null) setCookie(name, "", 0);
}

/** 128 random bits as text. */
export const random = () => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))).replace(/\W/g, (letter) => ({ "+": "-", "/": "_" })[letter] || "");
