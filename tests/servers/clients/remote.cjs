// GrowthBook's SDK that is evaluated remotely: value and tracking calls of each visitor.
const { GrowthBook } = require("@growthbook/growthbook");

async function main({ apiHost, clientKey, visitors, keys, url, forcedVariations, forcedFeatures }) {
  const found = [];
  for (const attributes of visitors) {
    const tracked = [];
    const trackingCallback = (experiment, result) =>
      tracked.push({ experiment: experiment.key, variant: result.key, index: result.variationId,
        hashAttribute: result.hashAttribute, hashValue: result.hashValue });
    const sdk = new GrowthBook({ apiHost, clientKey, attributes, url, remoteEval: true, trackingCallback });
    if (forcedVariations) await sdk.setForcedVariations(forcedVariations);
    if (forcedFeatures) sdk.setForcedFeatures(new Map(forcedFeatures));
    await sdk.init({ skipCache: true });
    const values = Object.fromEntries(keys.map((key) => [key, sdk.evalFeature(key).value]));
    found.push({ values, tracked });
    sdk.destroy();
  }
  console.log(JSON.stringify(found));
}

main(JSON.parse(process.argv[2])).then(() => process.exit(0));
