// The shop itself: products, a basket, an order. It needs nobody else; what it tells the tag waits in a list until the tag is there.

const find = (id) => document.getElementById(id);
const tag = (...call) => (window.resonate ||= []).push(typeof call[0] == "function" ? call[0] : call);
const products = Object.fromEntries(window.shop.products.map((product) => [product.product_id, product]));
const basket = [];
const line = (text, kind = "") => Object.assign(document.createElement("li"), { textContent: text, className: kind });
const money = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: "EUR" }); // as the tag writes `price_text`
const euros = (price) => money.format(price);

find("products").append(...window.shop.products.map(({ product_id, name, category, price }) => {
  const item = line("");
  const [title, kind, add] = ["strong", "small", "button"].map((element) => item.appendChild(document.createElement(element)));
  [title.textContent, kind.textContent, add.textContent, add.dataset.product] = [name, category, `Add, ${euros(price)}`, product_id];
  return item;
}));

document.addEventListener("click", ({ target }) => {
  const product = products[target.closest("[data-product]")?.dataset.product];
  if (!product) return;
  basket.push(product);
  tag("track", "Product Added", { product_id: product.product_id, price: Number(product.price) });
  find("basket").replaceChildren(...basket.map(({ name, price }) => line(`${name}, ${euros(price)}`)));
  find("buy").disabled = false;
});

find("buy").onclick = () => {
  const bought = basket.splice(0).map(({ product_id, name, price, category }) => ({ product_id, name, category, price: Number(price), quantity: 1 }));
  const revenue = Number(bought.reduce((sum, { price }) => sum + price, 0).toFixed(2));
  tag("track", "Order Completed", { order_id: crypto.randomUUID(), revenue, total: revenue, currency: "EUR", products: bought });
  find("basket").replaceChildren(line("Nothing yet", "quiet"));
  find("buy").disabled = true;
  find("thanks").textContent = `Thank you: ${euros(revenue)}`;
};

for (const button of document.querySelectorAll("[data-consent]"))
  button.onclick = () => {
    const { consent } = button.dataset;
    if (consent == "none") localStorage.refused = 1;
    else delete localStorage.refused;
    tag("consent", consent, { now: true });
    location.reload();
  };
find("forget").onclick = () => {
  tag("reset");
  tag((resonate) => resonate.track("Left"));
  setTimeout(() => location.reload(), 500);
};
tag((resonate) => {
  find("visitor").textContent = resonate.id?.slice(-8) ?? "nobody";
  find("variant").textContent = resonate.variant("free-shipping-banner").variant;
});
