// Which mode of consent holds on this page: `none`, `ask` (not answered yet), `measure` or `personal`.

import { cookie } from "./device.js";
import { shop, told } from "./settings.js";

export const RANK = { none: 0, ask: 1, measure: 2, personal: 3 };
const COOKIE = "resonate_consent";

const known = (mode) => (Object.hasOwn(RANK, mode || "") ? mode : undefined);
const lower = (one, other) => (RANK[one] < RANK[other] ? one : other);
const unsaid = () => (navigator.globalPrivacyControl && known(shop.gpc) ? lower(shop.consent, shop.gpc) : shop.consent);

/** What holds at the start of a page: what was answered, what the line on the page says, what the shop lets hold. */
export const initial = () => known(cookie(COOKIE)) || (told.consent == "gtag" ? "ask" : known(told.consent)) || unsaid();

export { COOKIE, known };
