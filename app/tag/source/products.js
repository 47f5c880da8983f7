// Lists of products without code: `<template data-resonate-products="SLOT">` is filled once for each product of the slot's
// list, and what is seen and clicked is told. `data-resonate-items` names products that the list goes with (with commas
// between them), `data-resonate-limit` how many there may be, `data-resonate-currency` in what `price_text` is written.

const FILLED = ["text", "html", "attr", "class", "show", "hide"].map((name) => `[data-resonate-${name}]`).join();

/** What a template may name of a product. */
function fieldsOf(item, currency) {
  const { product, ...told } = item, fields = { ...product, ...told };
  try {
    if (currency && fields.price != null) fields.price_text = new Intl.NumberFormat(document.documentElement.lang || undefined, { style: "currency", currency }).format(fields.price);
  } catch {} // no such currency or language: the price alone is there
  return fields;
}

/** Shows or hides the box that a template stands in: of itself, where that is more than the list. */
function collapse(template, hidden) {
  const box = template.closest("[data-resonate-box]") || template.parentElement;
  if (!box || /^(body|main|html)$/i.test(box.localName)) return;
  box.hidden = hidden;
  hidden ? box.style.setProperty("display", "none", "important") : box.style.removeProperty("display");
}

async function fill(core, template) {
  const slot = template.getAttribute("data-resonate-products"), currency = template.getAttribute("data-resonate-currency");
  const limit = Number.parseInt(template.getAttribute("data-resonate-limit"), 10);
  const items = (template.getAttribute("data-resonate-items") || "").split(",").map((item) => item.trim()).filter(Boolean);
  const list = await core.recommend(slot, { items: items.length ? items : undefined, limit: limit > 0 ? limit : undefined });
  const shown = Array.isArray(list.items) ? list.items : [];
  const about = { recommendation_id: list.recommendation_id, slot };
  const told = ({ product_id, position }) => ({ ...about, product_id, position });
  let first;
  for (const item of shown) {
    const part = template.content.cloneNode(true), fields = fieldsOf(item, currency);
    part.querySelectorAll(FILLED).forEach((element) => core.fill(element, fields, ""));
    for (const element of part.children) {
      first ||= [element, item];
      for (const name of ["click", "auxclick"])
        element.addEventListener(name, (event) => event.button < 2 && core.track("Recommendation Clicked", told(item)), { capture: true });
    }
    template.before(part);
  }
  collapse(template, !first);
  // A list is seen once, with its first product: that is what the rate of clicks is of.
  if (first && list.recommendation_id) core.inView(first[0], () => core.track("Recommendation Viewed", told(first[1])));
}

/** @param {object} core what the tag offers its parts */
export function start(core) {
  const found = new WeakSet();
  const look = () =>
    document.querySelectorAll("template[data-resonate-products]").forEach((template) => {
      if (found.has(template)) return;
      found.add(template);
      fill(core, template).catch(() => collapse(template, true));
    });
  look();
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
}
