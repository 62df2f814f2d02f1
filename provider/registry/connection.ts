/** How to reach a registry. The wire form of the SDK's `registry` argument, every value already plain. */
export interface RegistryConnection {
  /** `HOST:PORT`, `HOST:PORT/NAMESPACE`, the same with `https://` or `http://`, or `https://HOST:PORT/v2/NAMESPACE`. */
  endpoint: string;
  /** PEM text of the CA(s) that signed the registry's certificate, in addition to the system's. Excludes caCertPath. */
  caCert?: string;
  caCertPath?: string;
  username?: string;
  password?: string;
  /** A Docker config.json: auths, credHelpers, credsStore. Excludes username/password. */
  dockerConfigPath?: string;
  /**
   * Program and arguments of a command that prints the password of `username`, or user and password as
   * docker-credential-helpers do.
   */
  credentialCommand?: string[];
  /** `http://[user:password@]host:port` or https://; default HTTPS_PROXY/HTTP_PROXY/NO_PROXY of the environment. */
  proxy?: string;
  /** Accept any TLS certificate. Default false. Plain HTTP is asked for by an `http://` endpoint, never by this. */
  insecure?: boolean;
  /** Of content, both ways together. Default: none. */
  maxBytesPerSecond?: number;
  /** Requests at a time. Default: 6 at first, up to 16 as the registry keeps up. */
  maxParallel?: number;
}
