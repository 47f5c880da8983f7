// GrowthBook's SDK with streaming: the value at first, and each later one as it is told.
const { GrowthBook, setPolyfills } = require("@growthbook/growthbook");

setPolyfills({ EventSource });

async function main({ apiHost, clientKey, attributes, key }) {
  const sdk = new GrowthBook({ apiHost, clientKey, attributes });
  const tell = () => console.log(JSON.stringify(sdk.evalFeature(key).value));
  await sdk.init({ streaming: true, skipCache: true });
  tell();
  let last = JSON.stringify(sdk.evalFeature(key).value);
  sdk.setRenderer(() => {
    const now = JSON.stringify(sdk.evalFeature(key).value);
    if (now !== last) tell();
    last = now;
  });
  process.stdin.on("end", () => process.exit(0)).resume();
}

main(JSON.parse(process.argv[2]));
