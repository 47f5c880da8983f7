// Engaged time of one page view: visible, focused, and input within the last 30 s. Beats are cumulative, so a lost or
// doubled one costs nothing. Sent every 15 s while it grows, when the page is hidden, and when it goes (never `unload`).
export function engagement({ service, key, visitor, consent, idle = 30_000, every = 15_000, now = () => performance.now() }) {
  const view = crypto.randomUUID();
  let engaged = 0, sent = -1, seq = 0, counted = now(), input = now();
  const active = () => document.visibilityState === "visible" && document.hasFocus();
  let was = active();
  function count() {
    const time = now();
    if (was) engaged += Math.max(0, Math.min(time, input + idle) - counted);
    counted = time;
    was = active();
  }
  function beat(final) {
    count();
    if (consent === "none" || (engaged === sent && !final)) return;
    sent = engaged;
    const body = JSON.stringify({
      writeKey: key, messageId: `${view}:${++seq}`, anonymousId: visitor, pageViewId: view, seq,
      engagedMs: Math.round(engaged), final, url: location.href, consent, sentAt: new Date().toISOString(),
    });
    const to = `${service}/v1/engagement`;
    if (!navigator.sendBeacon(to, body)) fetch(to, { method: "POST", body, keepalive: true }).catch(() => {});
  }
  const onInput = () => { count(); input = now(); };
  for (const name of ["pointerdown", "pointermove", "keydown", "scroll", "touchstart"])
    addEventListener(name, onInput, { passive: true, capture: true });
  for (const name of ["focus", "blur"]) addEventListener(name, count);
  document.addEventListener("visibilitychange", () => (document.visibilityState === "hidden" ? beat(false) : onInput()));
  addEventListener("pagehide", () => beat(true));
  addEventListener("pageshow", (event) => { if (event.persisted) onInput(); }); // back from the cache: the same page view
  setInterval(() => beat(false), every);
  return { view, engagedMs: () => (count(), engaged) };
}
