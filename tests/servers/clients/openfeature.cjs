// OpenFeature's web SDK over OFREP: the details at first, and anew whenever the provider says that something changed.
const { OpenFeature, ProviderEvents } = require("@openfeature/web-sdk");
const { OFREPWebProvider } = require("@openfeature/ofrep-web-provider");

async function main({ baseUrl, clientKey, visitor, key }) {
  await OpenFeature.setContext({ targetingKey: visitor });
  const provider = new OFREPWebProvider({ baseUrl, headers: [["Authorization", `Bearer ${clientKey}`]], pollInterval: 0 });
  await OpenFeature.setProviderAndWait(provider);
  const client = OpenFeature.getClient();
  const tell = () => {
    const { value, variant, reason } = client.getObjectDetails(key, {});
    console.log(JSON.stringify({ value, variant, reason }));
  };
  tell();
  client.addHandler(ProviderEvents.ConfigurationChanged, tell);
  process.stdin.on("end", () => process.exit(0)).resume();
}

main(JSON.parse(process.argv[2]));
