/** What the nodes' containerd is to do for one public registry host. */
export interface DesiredHost {
  /** Namespace as containerd names it: `gcr.io`, `otherhost.io:8443`, `docker.io`, `_default`. */
  host: string;
  /** Asked in this order. Empty for a private registry, and for a mirror's own host entry. */
  mirrors: DesiredMirror[];
  /** True: the public registry is never asked, not even for blobs. */
  skipFallback: boolean;
  /** Of a private registry that nodes pull from directly: alone, or as the last one behind the mirrors. */
  access?: HostAccess;
}

/** With what a host itself is asked. At least one of the two. */
export interface HostAccess {
  /** Path on the node of the CA file. */
  caPath?: string;
  /** Key into the credentials: the host as containerd asks it. */
  credential?: string;
}

/** One mirror of a host. */
export interface DesiredMirror {
  /**
   * Normalized URL: `https://172.18.0.20:5000` or with a path `https://172.18.0.20:5000/v2/ns`; scheme lower case, no
   * trailing slash.
   */
  endpoint: string;
  /** Path on the node of the CA file, when the mirror has one of its own. */
  caPath?: string;
  /** Any TLS certificate is accepted. */
  insecure?: boolean;
  /** Key into the credentials: `HOST:PORT` of the mirror, when it has credentials. */
  credential?: string;
  /**
   * Seconds that a connection may take to come about before the next place is asked. Undefined: containerd's own 30.
   */
  dialTimeout?: number;
}

/** By the host actually asked (`172.18.0.20:5000`, `gcr.io`). Secret. */
export type Credentials = Record<string, { username: string; password: string }>;

/** How a registry asks, by HOST:PORT; decides where credentials must stand on a containerd line. */
export type AuthKinds = Record<string, "none" | "basic" | "bearer">;

/**
 * `hosts-dir`: one hosts.toml a host, changed without a restart. `config-toml`: tables in containerd 1.x's config.toml.
 */
export type ConfigStyle = "hosts-dir" | "config-toml";

/** All that is wanted on one node. `files` is what the reviewer saw: rendered from `hosts` by renderFiles(). */
export interface DesiredRegistry {
  hosts: DesiredHost[];
  /** Absolute path on the node -> text; credentials stand as placeholders `{{credential HOST:PORT}}`. */
  files: Record<string, string>;
  credentials: Credentials;
  auth: AuthKinds;
  configStyle: ConfigStyle | "auto";
  /** Default /etc/containerd/certs.d */
  hostsDir: string;
}
