import type * as pulumi from "@pulumi/pulumi";

/**
 * How to reach the private registry from the machine that runs Pulumi. Changing anything but `endpoint` never touches
 * the registry.
 */
export interface RegistryArgs {
  /**
   * `HOST:PORT`, or `HOST:PORT/NAMESPACE` to put every image below a namespace of one's own. Also accepted: the same
   * with `https://` (the default) or `http://` in front, and bmctl's `https://HOST:PORT/v2/NAMESPACE`. Another host,
   * port or namespace replaces the push set: the new place is filled before the old one is let go. In a list of registries
   * it is a change in place: the new one is filled, and then the old one cleaned.
   */
  endpoint: pulumi.Input<string>;
  /**
   * Path of the CA certificate (PEM) that signed the registry's own; in addition to the system's. Excludes `caCert`.
   */
  caCertPath?: pulumi.Input<string>;
  /** The same as text. */
  caCert?: pulumi.Input<string>;
  /** With `password`; excludes `dockerConfigPath`. No credentials at all: the registry must not ask for any. */
  username?: pulumi.Input<string>;
  /** Always kept as a secret. */
  password?: pulumi.Input<string>;
  /**
   * Path of a Docker `config.json`; its `auths`, `credHelpers` and `credsStore` are understood. Read when it is needed,
   * never kept.
   */
  dockerConfigPath?: pulumi.Input<string>;
  /**
   * A command that prints a short-lived credential, as program and arguments; no shell is between. With `username` it prints
   * the password or token alone: `["aws", "ecr", "get-login-password"]` with the user `AWS`, `["gcloud", "auth",
   * "print-access-token"]` with `oauth2accesstoken`. Without, it prints what Docker's credential helpers do, `{"Username":
   * "...", "Secret": "..."}`. Run when it is needed, with the program's environment and 60 s of time, and again when what
   * it printed is older than 5 minutes or refused; what it prints is never kept. Excludes `password` and
   * `dockerConfigPath`.
   */
  credentialCommand?: pulumi.Input<pulumi.Input<string>[]>;
  /**
   * `http://[USER:PASSWORD@]HOST:PORT` of a proxy. Default: HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment.
   */
  proxy?: pulumi.Input<string>;
  /** Accept any TLS certificate. Default false. For plain HTTP write `http://` into the endpoint instead. */
  insecure?: pulumi.Input<boolean>;
  /** Bytes of content a second, to and from this registry together, whatever is under way. Default: no limit. */
  maxBytesPerSecond?: pulumi.Input<number>;
  /**
   * Requests to this registry at a time, from 1; of a registry that is read also downloads at a time. Default: 6 at first,
   * up to 16 as it keeps up, fewer when it asks for that. A large layer that the registry does not mount flows into all of
   * its repositories side by side, whatever is said here.
   */
  maxParallel?: pulumi.Input<number>;
}

/** A registry, or several; as a whole from a configuration, too: `config.requireSecretObject("registry")`. */
export type RegistriesInput = pulumi.Input<RegistryArgs | pulumi.Input<RegistryArgs>[]>;
