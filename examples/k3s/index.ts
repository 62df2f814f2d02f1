import * as pulumi from "@pulumi/pulumi";
import * as mirror from "pulumi-registry-mirror";

const config = new pulumi.Config();
const text = (key: string) => config.get(key) || undefined;
const list = (key: string) => config.getObject<string[]>(key) ?? [];
const registry = {
  endpoint: text("endpoint") ?? "https://172.18.0.20:5000",
  caCertPath: text("caCertPath"),
  username: text("username"),
  password: text("username") && config.getSecret("password"),
};

const images = new mirror.ImagePushSet("images", { source: text("source") ?? { images: list("images") }, registry });

// What kind of node each one is, is found on it. Nothing is restarted: not k3s, not RKE2, not a pod.
const cluster = new mirror.MirroredCluster("k3s", {
  nodes: [
    ...list("servers").map((address) => ({ address, role: "control-plane" as const })),
    ...list("agents").map((address) => ({ address })),
  ],
  registryMirrors: [{ ...registry, hosts: config.getObject<string[]>("hosts") ?? ["docker.io"] }],
  images,
  connection: {
    user: text("user"),
    privateKeyPath: text("privateKeyPath"),
    knownHostsPath: text("knownHostsPath"),
  },
});

export const verdict = cluster.verdict;
export const report = mirror.verificationReport(cluster.verification);
