// Who logs in and out, and lists of products for them.

/** Gives core `identify`, `reset` and `recommend`. */
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
}
