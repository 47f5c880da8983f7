// When a page is really seen: neither prepared in advance nor in a hidden tab; and when it has nothing better to do.

const inFront = () => document.visibilityState == "visible" && !document.prerendering;

/** Calls once the page is in front of somebody: at once where it is. */
export function whenSeen(then) {
  if (inFront()) return then();
  const look = () => {
    if (!inFront()) return;
    removeEventListener("visibilitychange", look, true);
    document.removeEventListener("prerenderingchange", look);
    then();
  };
  addEventListener("visibilitychange", look, true);
  document.addEventListener("prerenderingchange", look);
}

/** Calls once the page is no longer prepared in advance. */
export const whenActive = (then) => (document.prerendering ? document.addEventListener("prerenderingchange", then, { once: true }) : then());

/** Calls when the page has loaded and rests. */
export const whenIdle = (then) => {
  const rest = () => (window.requestIdleCallback || setTimeout)(then);
  document.readyState == "complete" ? rest() : addEventListener("load", rest, { once: true });
};

/** Calls once a place comes into the window. It is watched by a mark before it, so that an empty one counts too. */
export function whenInView(element, then) {
  const mark = document.createElement("span");
  mark.style.position = "absolute";
  element.before(mark);
  new IntersectionObserver((entries, watch) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    mark.remove();
    then();
  }).observe(mark);
}
