// A whole shop front in one file: one call asks what to show, one call a click tells what happened.
import { engagement } from "/engagement.js";

const { service, key } = window.shop;
const find = (id) => document.getElementById(id);
const consent = localStorage.consent ?? "measure"; // until the question below is answered people are only counted
if (consent === "none") delete localStorage.visitor;
const device = matchMedia("(max-width: 600px)").matches ? "mobile" : "desktop";
const names = Object.fromEntries(window.shop.products.map((product) => [product.product_id, product]));
const basket = [];

const call = (path, body) =>
  fetch(service + path, { method: "POST", headers: { Authorization: `Bearer ${key}`, "X-Resonate-Consent": consent }, body: JSON.stringify(body) });
// An id that nobody guesses, kept by this page, because its origin is not the service's; there it would be a cookie.
const visitor = consent === "none" ? undefined : (localStorage.visitor ??= (await (await call("/v1/visitor", {})).json()).visitor_id);
const track = (event, properties) => call("/v1/track", { event, properties, anonymousId: visitor });

async function open() {
  find("visitor").textContent = visitor?.slice(-8) ?? "nobody";
  find("consent").textContent = consent;
  const time = engagement({ service, key, visitor, consent });
  call("/v1/page", { anonymousId: visitor, properties: { path: location.pathname, page_view_id: time.view } });
  const answer = await call("/v1/personalize", {
    visitor_id: visitor, attributes: { device }, recommendations: [{ slot: "front-page" }],
    experiments: ["free-shipping-banner", "checkout-reassurance", "front-page-products"],
  });
  show(await answer.json());
}

function show({ experiments, recommendations = {} }) {
  const message = experiments["free-shipping-banner"];
  find("variant").textContent = message?.variant ?? "none";
  find("banner").hidden = !message?.payload?.banner;
  find("banner").textContent = message?.payload?.banner ?? "";
  const shown = recommendations["front-page"];
  const items = shown?.items ?? window.shop.products.slice(0, 8);
  if (shown) track("Recommendation Viewed", { recommendation_id: shown.recommendation_id });
  find("products").replaceChildren(...items.map((item) => card(item, shown)));
}

function card(item, shown) {
  const product = names[item.product_id] ?? { name: item.product_id, price: 0 };
  const because = (item.reason?.because ?? []).map((id) => names[id]?.name ?? id).join(", ");
  const line = document.createElement("li");
  const [name, why, buy] = ["strong", "small", "button"].map((tag) => line.appendChild(document.createElement(tag)));
  name.textContent = product.name;
  why.textContent = because ? `because of ${because}` : (product.category ?? "");
  buy.textContent = `Add, ${Number(product.price).toFixed(2)} €`;
  buy.onclick = () => {
    if (shown) track("Recommendation Clicked", { recommendation_id: shown.recommendation_id, product_id: item.product_id, position: item.position });
    add({ ...product, product_id: item.product_id });
  };
  return line;
}

function add(product) {
  basket.push(product);
  track("Product Added", { product_id: product.product_id, price: product.price });
  find("basket").replaceChildren(...basket.map(({ name, price }) => Object.assign(document.createElement("li"), { textContent: `${name}, ${Number(price).toFixed(2)} €` })));
  find("buy").disabled = false;
}

find("buy").onclick = async () => {
  const revenue = Number(basket.reduce((sum, { price }) => sum + Number(price), 0).toFixed(2));
  const products = basket.map(({ product_id, name, price, category }) => ({ product_id, name, category, price: Number(price), quantity: 1 }));
  await track("Order Completed", { order_id: crypto.randomUUID(), revenue, total: revenue, currency: "EUR", products });
  basket.length = 0;
  find("basket").replaceChildren(Object.assign(document.createElement("li"), { className: "quiet", textContent: "Nothing yet" }));
  find("buy").disabled = true;
  find("thanks").textContent = `Thank you: ${revenue.toFixed(2)} €`;
};
for (const button of document.querySelectorAll("[data-consent]")) {
  button.onclick = () => { localStorage.consent = button.dataset.consent; location.reload(); };
}
find("forget").onclick = () => { delete localStorage.visitor; location.reload(); };
open();
