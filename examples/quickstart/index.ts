import * as pulumi from "@pulumi/pulumi";
import * as mirror from "pulumi-registry-mirror";

const config = new pulumi.Config();
const endpoint = config.require("endpoint");
const text = (key: string) => config.get(key) || undefined;
const list = (key: string) => config.getObject<string[]>(key) ?? [];
const registry = {
  endpoint,
  caCertPath: text("caCertPath"),
  username: text("username"),
  password: text("username") && config.getSecret("password"),
};

// 1. Every image of the package goes into the private registry, under the path it has in the public one.
const images = new mirror.ImagePushSet("images", { source: config.get("source") ?? "./bmpackages.tar.xz", registry });

// 2. What containerd is to do on every node: ask the private registry first. gcr.io is always mirrored.
const mirrored = new mirror.RegistryMirror("mirror", {
  registryMirrors: [{ ...registry, hosts: list("hosts") }],
  gcrKeyPath: text("gcrKeyPath"),
});

// 3. Each node is changed over SSH when the images are there, and proven to pull from the private registry.
const nodes = list("nodes").map(
  (host) =>
    new mirror.NodeContainerd(`node-${host}`, {
      connection: {
        host,
        user: config.get("user") ?? "root",
        privateKeyPath: text("privateKeyPath"),
        knownHostsPath: text("knownHostsPath"),
      },
      mirror: mirrored,
      images: images.images,
      probe: images.probe,
    }),
);

export const pushed = images.images.apply((all) => all.map((image) => `${image.target}@${image.digest}`));
const results = nodes.map((node) => node.verification);
export const verification = pulumi.jsonStringify(results);
export const report = mirror.verificationReport(results);
