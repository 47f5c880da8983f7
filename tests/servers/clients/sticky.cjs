// GrowthBook's SDK with one store of sticky buckets: the variants of each stage, by visitor.
const { GrowthBook, LocalStorageStickyBucketService } = require("@growthbook/growthbook");

const kept = new Map();
const localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };

async function main({ key, stages }) {
  const found = [];
  for (const { payload, visitors } of stages) {
    const variants = {};
    for (const attributes of visitors) {
      const stickyBucketService = new LocalStorageStickyBucketService({ localStorage });
      const sdk = new GrowthBook({ attributes, stickyBucketService });
      await sdk.init({ payload });
      await sdk.refreshStickyBuckets();
      const result = sdk.evalFeature(key);
      variants[attributes.id] = result.experimentResult?.inExperiment ? result.experimentResult.key : null;
      sdk.destroy();
    }
    found.push(variants);
  }
  console.log(JSON.stringify({ found, kept: kept.size }));
}

main(JSON.parse(process.argv[2]));
