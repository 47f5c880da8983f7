// Pauses and new definitions, as they happen: what is not shown yet is decided anew; what is seen stays as it is.
//
// One request stays open while the page is in front, something runs, and consent lets the page be counted.
// `data-stream="off"` on the script's line forbids it. A hidden tab holds no connection: browsers have few for one host.

/** Listens once the page rests. @param {object} core what the tag offers its parts */
export function start(core) {
  const { settle } = core;
  if (core.script.stream == "off" || core.tried || !window.EventSource) return;
  let source;

  const hear = ({ data }) => {
    try {
      if (core.held) core.held().forEach(core.shown);
      core.update(JSON.parse(data).features);
      if (core.changed) core.changed();
    } catch {} // the next one says it again
  };
  const follow = () => {
    if (document.hidden || document.prerendering || !/measure|personal/.test(core.consent)) {
      if (source) source.close();
      source = null;
    } else if (!source && core.keys().some((key) => core.arms(key)[0] !== undefined)) {
      source = new EventSource(`${core.service}/sub/${core.key}`);
      source.addEventListener("features", hear);
    }
  };
  const rested = () => (document.hidden ? follow() : (window.requestIdleCallback || setTimeout)(follow));
  for (const name of ["visibilitychange", "prerenderingchange"]) document.addEventListener(name, rested);
  core.settle = () => {
    settle();
    rested(); // another mode of consent may hold
  };
}
