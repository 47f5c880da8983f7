// Runs rows of the table for clients in node: JSON in, JSON out. What a row ends with is what it says went wrong.
import { readFileSync } from "node:fs";
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OpenFeature } from "@openfeature/server-sdk";
import { GrowthBook } from "@growthbook/growthbook";
import { growthbookTrackingPlugin } from "@growthbook/growthbook/plugins";
import rudder from "@rudderstack/rudder-sdk-node";
import segment from "@segment/analytics-node";

const unit = ({ who }) => who.anonymousId ?? who.userId;
const attributes = ({ name, who }) => ({ row: name, ...(who.userId === undefined ? {} : { user_id: who.userId }) });

const CLIENTS = {
  async "@segment/analytics-node"(row, errors) {
    const { pathname } = new URL(row.service); // its own path is from the root of the host
    const path = pathname == "/" ? {} : { path: `${pathname}/v1/batch` };
    const client = new segment.Analytics({ writeKey: row.key, host: row.service, maxRetries: 0, ...path });
    client.on("error", (error) => errors.push(`${error.code} ${error.reason}`));
    for (const { type, ...call } of row.calls) client[type]({ ...row.who, ...call });
    await client.closeAndFlush();
  },
  async "@rudderstack/rudder-sdk-node"(row, errors) {
    const client = new (rudder.default ?? rudder)(row.key, { dataPlaneUrl: row.service, retryCount: 0, logLevel: "none", errorHandler: (error) => errors.push(`${error}`) });
    for (const { type, ...call } of row.calls) client[type]({ ...row.who, ...call });
    await client.flush();
  },
  async "@growthbook/growthbook"(row, errors) {
    const sdk = new GrowthBook({
      apiHost: row.service, clientKey: row.key, attributes: { id: unit(row), ...attributes(row) },
      plugins: [growthbookTrackingPlugin({ ingestorHost: row.service, queueFlushInterval: 10 })],
    });
    await sdk.init({ streaming: false });
    for (const key of row.experiments) if (!sdk.evalFeature(key).experimentResult?.inExperiment) errors.push(`${key}: not in the experiment`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    sdk.destroy();
  },
  async "@openfeature/server-sdk"(row, errors) {
    await OpenFeature.setProviderAndWait(row.name, new OFREPProvider({ baseUrl: row.service, headers: [["Authorization", `Bearer ${row.key}`]] }));
    for (const key of row.experiments) {
      const details = await OpenFeature.getClient(row.name).getObjectDetails(key, {}, { targetingKey: unit(row), ...attributes(row) });
      if (details.errorCode) errors.push(`${key}: ${details.errorCode} ${details.errorMessage}`);
    }
  },
};

async function run(row) {
  const errors = [];
  try {
    await CLIENTS[row.client](row, errors);
  } catch (error) {
    errors.push(`${error.stack ?? error}`.slice(0, 500));
  }
  return { name: row.name, errors };
}

const found = await Promise.all(JSON.parse(readFileSync(0, "utf8")).map(run));
process.stdout.write(JSON.stringify(found), () => process.exit(0));
