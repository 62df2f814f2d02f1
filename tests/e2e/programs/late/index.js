// Another resource's outputs are known in `up` alone, and turn out to be whatever `values` in the configuration says.
const pulumi = require("@pulumi/pulumi");
const mirror = require("pulumi-registry-mirror");

const config = new pulumi.Config();

class Late extends pulumi.dynamic.Resource {
  constructor(name, values) {
    super({ create: async (inputs) => ({ id: name, outs: inputs.values }) }, name, {
      values,
      address: undefined,
      path: undefined,
    });
  }
}

const { address, path } = new Late("late", config.requireObject("values"));
const made = {
  images: () => new mirror.ImagePushSet("images", { source: path, registry: { endpoint: address } }),
  mirror: () =>
    new mirror.RegistryMirror("mirror", { registryMirrors: [{ endpoint: address }], checkEndpoints: false }),
  node: () => {
    const settings = new mirror.RegistryMirror("mirror", {
      registryMirrors: [{ endpoint: "https://127.0.20.1:5000" }],
      checkEndpoints: false,
    });
    return new mirror.NodeContainerd("node", { connection: { host: address }, mirror: settings });
  },
};
made[config.require("resource")]();
