// Who logs in and out, lists of products for them, and the visitor's id, which the service sets again.

const DAY = 864e5, FOR_EVER = 9e15;

/** Gives core `identify`, `reset`, `recommend` and `settle`. */
export function start(core) {
  core.identify = (who, { token, traits } = {}) => {
    const before = core.user;
    core.login(who == null ? null : { id: `${who}`, token });
    if (core.user && (before != core.user || traits)) core.send({ type: "identify", traits: traits || {} });
    if (before != core.user) core.again();
  };

  /** Somebody else uses this browser from now on. */
  core.reset = () => {
    core.anew();
    core.again();
  };

  /** A list of products; an empty one where nobody may be asked about, or nobody answers. */
  core.recommend = async (slot, { items, limit } = {}) => {
    const told = { visitor_id: core.id, user_id: core.user || undefined, user_token: core.token, consent: core.consent };
    const asked = { ...told, expose: false, attributes: core.custom, recommendations: [{ slot, items, limit }] };
    try {
      if (core.consent == "none" || core.consent == "ask") throw 0;
      const answer = await core.post("/v1/personalize", JSON.stringify(asked));
      return (await answer.json()).recommendations[slot] || { items: [] };
    } catch {
      return { items: [] };
    }
  };

  /** The service sets the id again, because its cookies last longer than those of scripts: once where their end does not move, else every day. */
  core.settle = () => {
    const state = core.who()[4], today = Math.floor(Date.now() / DAY);
    if (!/measure|personal/.test(core.consent) || core.tried || state.asked > Date.now()) return;
    state.asked = core.consent == "measure" ? FOR_EVER : (today + 1) * DAY;
    core.remember();
    const told = { visitor_id: core.id, consent: core.consent, since: new Date(state.first).toISOString().slice(0, 10) };
    // who refused meanwhile keeps no cookie
    core.post("/v1/visitor", JSON.stringify(told), { credentials: "include" }).catch(() => {}).then(() => core.consent == "none" && core.recognise());
  };
}
