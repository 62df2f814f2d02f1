import * as pulumi from "@pulumi/pulumi";
import * as mirror from "pulumi-registry-mirror";

const config = new pulumi.Config();
const adminConfig = config.get("adminConfig") ?? "admin1.yaml";
const userConfig = config.get("userConfig") ?? "user1.yaml";
const username = config.get("username") || undefined;
const knownHostsPath = config.get("knownHostsPath") || undefined;

const adminFile = mirror.readClusterFile(adminConfig);
const [registry] = adminFile.registryMirrors;
if (registry === undefined) {
  throw new pulumi.RunError(`${adminConfig} has no registryMirrors`);
}

// One push serves both clusters.
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

const admin = new mirror.MirroredCluster(adminFile.name, {
  clusterConfig: adminConfig,
  images,
  connection: { knownHostsPath },
});

// A user cluster inherits nothing: its mirrors are those of its own file. That file has no SSH key (bmctl takes the
// admin cluster's), so the program says which. Its first node changes when every node of the admin cluster is verified.
const user = new mirror.MirroredCluster(
  mirror.readClusterFile(userConfig).name,
  { clusterConfig: userConfig, images, connection: { privateKeyPath: adminFile.sshPrivateKeyPath, knownHostsPath } },
  { dependsOn: [admin] },
);

export const verdicts = { [admin.config.name]: admin.verdict, [user.config.name]: user.verdict };
export const report = mirror.verificationReport([admin.verification, user.verification]);
