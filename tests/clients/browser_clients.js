// Runs a row of the table for the browser's clients: `run(row)` promises who was sent, and what went wrong.
import { AnalyticsBrowser } from "@segment/analytics-next";
import { RudderAnalytics } from "@rudderstack/analytics-js/bundled";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature } from "@openfeature/web-sdk";

/** Once this many requests whose address holds the text have been answered. */
async function answered(count, text) {
  const ended = Date.now() + 15_000;
  while (performance.getEntriesByType("resource").filter((entry) => entry.name.includes(text)).length < count) {
    if (Date.now() > ended) throw new Error(`fewer than ${count} requests to ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** The calls of a row by a client of Segment's kind. */
function track(client, { who, calls }) {
  if (who.anonymousId) client.setAnonymousId(who.anonymousId);
  for (const call of calls) {
    if (call.type == "identify") who.userId === undefined ? client.identify(call.traits) : client.identify(who.userId, call.traits);
    else if (call.type == "page") client.page(call.name, call.properties);
    else client.track(call.event, call.properties);
  }
}

const CLIENTS = {
  async "@segment/analytics-next"(row) {
    const [client] = await AnalyticsBrowser.load({ writeKey: row.key, cdnURL: row.service });
    track(client, row);
    await answered(row.calls.length, `${row.service}/v1/`);
    return { anonymousId: client.user().anonymousId() };
  },
  async "@rudderstack/analytics-js"(row) {
    const client = new RudderAnalytics();
    client.load(row.key, row.service, { configUrl: row.service, logLevel: "NONE" });
    await new Promise((resolve) => client.ready(resolve));
    track(client, row);
    await answered(row.calls.length, `${row.service}/v1/`);
    return { anonymousId: client.getAnonymousId() };
  },
  async "growthbook-script"(row) {
    while (!window._growthbook?.ready) await new Promise((resolve) => setTimeout(resolve, 20));
    const { anonymousId, userId } = row.who;
    await window._growthbook.updateAttributes({ ...(anonymousId ? {} : { id: userId }), ...(userId === undefined ? {} : { user_id: userId }) });
    for (const key of row.experiments) window._growthbook.isOn(key);
    await answered(1, "/track?client_key");
    return { anonymousId: window._growthbook.getAttributes().id };
  },
  async "@openfeature/web-sdk"(row) {
    const { anonymousId, userId } = row.who, targetingKey = anonymousId ?? userId, sent = [];
    const send = (body) => sent.push(fetch(`${row.service}/v1/track?writeKey=${row.key}`, { method: "POST", body: JSON.stringify(body) }));
    OpenFeature.addHooks({
      after: ({ context, flagKey }, { variant }) =>
        send({ anonymousId: context.targetingKey, userId, event: "Experiment Viewed", properties: { experiment_id: flagKey, variation_id: variant, row: row.name } }),
    });
    await OpenFeature.setContext({ targetingKey, ...(userId === undefined ? {} : { user_id: userId }) });
    await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: row.service, pollInterval: 0, headers: [["Authorization", `Bearer ${row.key}`]] }));
    for (const key of row.experiments) OpenFeature.getClient().getObjectDetails(key, {});
    await Promise.all(sent);
    return {};
  },
};

export async function run(row) {
  try {
    return { name: row.name, errors: [], ...(await CLIENTS[row.client](row)) };
  } catch (error) {
    return { name: row.name, errors: [`${error.stack ?? error}`.slice(0, 500)] };
  }
}
