// A panel of the tag's own over the page: badge of a preview, and what `resonate_debug` shows. The page's styles do not reach it.

const STYLE = `
:host{all:initial!important;position:fixed!important;z-index:2147483647!important;right:12px!important;bottom:12px!important}
div{font:13px/1.4 system-ui,sans-serif;color:#111;background:#fff;border:1px solid #888;border-radius:8px;padding:8px 12px;box-shadow:0 2px 12px #0004;max-width:min(480px,90vw);max-height:80vh;overflow:auto}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:2px 6px 2px 0;font-size:12px}td:nth-child(2){overflow-wrap:anywhere}th{font-weight:600}
h2{font-size:13px;margin:8px 0 2px}button{font:inherit;margin-left:8px;cursor:pointer}.bad{color:#b00020}.hint{color:#8a5a00}`;

/** An element with texts and elements inside; `class` is the only attribute that it needs. */
export function element(name, inside = [], className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...[inside].flat());
  return made;
}

/** A button that does this. */
export function button(label, act) {
  const made = element("button", label);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

/** Puts a panel over the page, of a name by which it is found. @returns {(...parts: Array<Node|string>) => void} what it shows */
export function panel(name) {
  const host = document.createElement("resonate-panel"), box = document.createElement("div");
  host.setAttribute("data-panel", name);
  const inside = host.attachShadow({ mode: "open" });
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    inside.adoptedStyleSheets = [sheet];
  } catch {} // without its style it can be read all the same
  inside.append(box);
  document.documentElement.append(host);
  return (...parts) => box.replaceChildren(...parts);
}
