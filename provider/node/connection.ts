/** How to reach a node; the field names of @pulumi/command's remote connection, which people know. */
export interface NodeConnection {
  host: string;
  /** Default 22. */
  port?: number;
  /** Default root. Anyone else needs sudo without a password (or `sudoPassword`). */
  user?: string;
  password?: string;
  privateKey?: string;
  privateKeyPath?: string;
  privateKeyPassword?: string;
  agentSocketPath?: string;
  /** One `ssh-ed25519 AAAA...` line, or several separated by newlines. */
  hostKey?: string;
  /** Default ~/.ssh/known_hosts when no hostKey is given. */
  knownHostsPath?: string;
  /** Accept any host key. Default false. */
  insecureIgnoreHostKey?: boolean;
  sudoPassword?: string;
  /** A bastion, itself reached through another when it has a `proxy`. */
  proxy?: NodeConnection;
  /** Seconds for one dial. Default 15. */
  perDialTimeout?: number;
  /** Dials before giving up. Default 10; a refused key or unknown host key is not retried. */
  dialErrorLimit?: number;
}
