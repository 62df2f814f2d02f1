import type * as pulumi from "@pulumi/pulumi";

/**
 * How to reach the private registry from the machine that runs Pulumi. Changing anything but `endpoint` never touches
 * the registry.
 */
export interface RegistryArgs {
  /**
   * `HOST:PORT`, or `HOST:PORT/NAMESPACE` to put every image below a namespace of one's own. Also accepted: the same
   * with `https://` (the default) or `http://` in front, and bmctl's `https://HOST:PORT/v2/NAMESPACE`. Another host,
   * port or namespace replaces the push set: the new place is filled before the old one is let go.
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
   * `http://[USER:PASSWORD@]HOST:PORT` of a proxy. Default: HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment.
   */
  proxy?: pulumi.Input<string>;
  /** Accept any TLS certificate. Default false. For plain HTTP write `http://` into the endpoint instead. */
  insecure?: pulumi.Input<boolean>;
}
