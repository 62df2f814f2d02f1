import * as pulumi from "@pulumi/pulumi";
import * as mirror from "pulumi-registry-mirror";

const config = new pulumi.Config();
const clusterConfig = config.get("clusterConfig") ?? "admin1.yaml";
const username = config.get("username") || undefined;
const knownHostsPath = config.get("knownHostsPath") || undefined;
const only = config.getObject<string[]>("only") ?? [];

// The cluster file says where the mirror is; the images go to the same place.
const { name, registryMirrors } = mirror.readClusterFile(clusterConfig);
const [registry] = registryMirrors;
if (registry === undefined) {
  throw new pulumi.RunError(`${clusterConfig} has no registryMirrors`);
}

const images = new mirror.ImagePushSet("images", {
  source: config.get("source") ?? "./bmpackages.tar.xz",
  registry: {
    endpoint: registry.endpoint,
    caCertPath: registry.caCertPath,
    ...(username === undefined
      ? { dockerConfigPath: registry.pullCredentialConfigPath }
      : { username, password: config.getSecret("password") }),
  },
});

// Mirrors, keys, login user and nodes are the file's. No node changes before the images are there; each wave waits for
// the one before.
const cluster = new mirror.MirroredCluster(name, {
  clusterConfig,
  images,
  rollout: {
    canary: config.getNumber("canary") ?? 1,
    maxParallel: config.getNumber("maxParallel") ?? 10,
    only: only.length > 0 ? only : undefined,
  },
  connection: { knownHostsPath },
});

export const waves = cluster.waves;
export const verdict = cluster.verdict;
export const verification = cluster.verification;
export const report = mirror.verificationReport(cluster.verification);
mirror.reportPage(cluster.verification, { path: "report.html", title: `Registry mirror of ${name}` });
