// Which mode of consent holds on this page: `none`, `ask` (not answered yet), `measure` or `personal`.

import { CONSENT, cookie } from "./device.js";
import { shop, told } from "./settings.js";

export const RANK = { none: 1, ask: 2, measure: 3, personal: 4 };

export const lower = (one, other) => (RANK[one] < RANK[other] ? one : other);

/** What holds at the start of a page: what was answered, what the line on the page says, what the shop lets hold. */
export const initial = () =>
  [cookie(CONSENT), told.consent == "gtag" ? "ask" : told.consent].find((mode) => RANK[mode]) || (navigator.globalPrivacyControl ? lower(shop.consent, shop.gpc) : shop.consent);
