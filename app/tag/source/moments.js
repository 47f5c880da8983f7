// When a page is really seen: neither prepared in advance nor in a hidden tab.

/** Calls once the page is in front of somebody: at once where it is. */
export function whenSeen(then) {
  const stop = new AbortController(), look = () => document.hidden || document.prerendering || (stop.abort(), then());
  for (const name of ["visibilitychange", "prerenderingchange"]) document.addEventListener(name, look, stop);
  look();
}
