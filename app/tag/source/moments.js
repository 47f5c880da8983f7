// When a page is really seen: neither prepared in advance nor in a hidden tab; and when it has nothing better to do.

const seen = () => !document.hidden && !document.prerendering;

/** Calls once the page is in front of somebody: at once where it is. */
export function whenSeen(then) {
  if (seen()) return then();
  const stop = new AbortController();
  for (const name of ["visibilitychange", "prerenderingchange"]) document.addEventListener(name, () => seen() && (stop.abort(), then()), stop);
}

/** Calls when the page has loaded and rests. */
export const whenIdle = (then) => {
  const rest = () => (window.requestIdleCallback || setTimeout)(then);
  document.readyState == "complete" ? rest() : addEventListener("load", rest);
};
