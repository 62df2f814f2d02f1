import type { ArgumentNames } from "../../model/argumentNames";

const secretRef = (path: string) =>
  `a Secret of the admin cluster is not read here: give ${path}, a file on the machine that runs Pulumi`;
const beside = "it stands beside registryMirrors, for all of them";

/** What a push set alone takes of a registry. It is let through, so that one object may say both. */
const ofPushSets = { proxy: false, maxBytesPerSecond: false, maxParallel: false } as const;

const credentials = { pullCredentialConfigPath: true, username: true, password: true } as const;

/** Without any of these the nodes would pull as nobody, whatever a push set is given. */
function ofPushSetsBeside(given: Readonly<Record<string, unknown>>): false | string {
  return Object.keys(credentials).some((name) => given[name] !== undefined)
    ? false
    : "a push set takes it, nodes do not: give pullCredentialConfigPath, or username and password";
}

const mirrorNames: ArgumentNames = {
  endpoint: true,
  caCertPath: true,
  caCert: true,
  ...credentials,
  hosts: true,
  skipFallback: true,
  insecure: true,
  dialTimeout: true,
  ...ofPushSets,
  dockerConfigPath: ofPushSetsBeside,
  credentialCommand: ofPushSetsBeside,
  caCertSecretRef: secretRef("caCertPath"),
  pullCredentialSecretRef: secretRef("pullCredentialConfigPath"),
  gcrKeyPath: beside,
  gcrKey: beside,
};

const privateRegistryNames: ArgumentNames = {
  host: true,
  caCertPath: true,
  caCert: true,
  ...credentials,
  endpoint: "give host, the registry as it stands in image names, such as registry.example:5007",
  caCertSecretRef: secretRef("caCertPath"),
  pullCredentialSecretRef: secretRef("pullCredentialConfigPath"),
};

const inEachMirror = "give it to the entries of registryMirrors that it is meant for";

export const registryMirrorNames: ArgumentNames = {
  registryMirrors: [mirrorNames],
  privateRegistries: [privateRegistryNames],
  gcrKeyPath: true,
  gcrKey: true,
  hostsDir: true,
  checkEndpoints: true,
  skipFallback: inEachMirror,
  dialTimeout: inEachMirror,
};
