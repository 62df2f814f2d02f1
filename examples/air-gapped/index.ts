import * as pulumi from "@pulumi/pulumi";
import * as mirror from "pulumi-registry-mirror";

const config = new pulumi.Config();
const text = (key: string) => config.get(key) || undefined;
const list = (key: string) => config.getObject<string[]>(key) ?? [];
const login = {
  caCertPath: text("caCertPath"),
  username: text("username"),
  password: text("username") && config.getSecret("password"),
};
const registries = list("registries").map((endpoint) => ({ endpoint, ...login }));

if (registries.length === 0) {
  throw new pulumi.RunError("registries is empty: name at least one private registry");
}

// Every registry gets all images, so that each can serve alone; the package is read once for all of them.
const images = new mirror.ImagePushSet("images", {
  source: config.get("source") ?? "./bmpackages.tar.xz",
  registry: registries,
});

// No cluster file here: the same as an object. The nodes ask the registries in this order, and nobody else: an image
// that none of them has fails to pull, instead of waiting for a public registry that cannot be reached.
const nodes = (addresses: string[]) => ({ nodes: addresses.map((address) => ({ address })) });
const cluster = new mirror.MirroredCluster("site", {
  clusterConfig: {
    cluster: {
      metadata: { name: "site" },
      spec: {
        nodeAccess: { loginUser: config.get("user") ?? "root" },
        controlPlane: { nodePoolSpec: nodes(list("controlPlane")) },
      },
    },
    nodePools: [{ metadata: { name: "workers" }, spec: nodes(list("workers")) }],
  },
  registryMirrors: registries.map((registry) => ({
    ...registry,
    hosts: ["gcr.io", ...list("hosts")],
    skipFallback: true,
  })),
  images,
  verify: { images: 3 },
  connection: { privateKeyPath: text("privateKeyPath"), knownHostsPath: text("knownHostsPath") },
});

export const verdict = cluster.verdict;
export const verification = cluster.verification;
export const report = mirror.verificationReport(cluster.verification, { pushSets: images });
