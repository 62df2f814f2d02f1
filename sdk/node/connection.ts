import * as pulumi from "@pulumi/pulumi";

import { isLater } from "../../provider/model/outputs";
import type { NodeConnection } from "../../provider/node";
import { secretsOfConnection } from "../../provider/resources/node/shapes";

/**
 * How to reach a node over SSH; the names of @pulumi/command's connection. Files are read when they are needed, on the
 * machine that runs Pulumi, and only their paths are kept; what is given as text is kept as a secret.
 */
export interface ConnectionArgs {
  /** Name or address. Another one replaces the node. */
  host: pulumi.Input<string>;
  /** Default 22. Another one replaces the node. */
  port?: pulumi.Input<number>;
  /** Default root. Anyone else must be allowed `sudo` (without a password, or with `sudoPassword`). */
  user?: pulumi.Input<string>;
  /** For password authentication, tried after keys. Always kept as a secret. */
  password?: pulumi.Input<string>;
  /** Text of a private key. */
  privateKey?: pulumi.Input<string>;
  /**
   * Path of a private key. With none of password, privateKey, privateKeyPath and agentSocketPath, the agent of
   * SSH_AUTH_SOCK is asked.
   */
  privateKeyPath?: pulumi.Input<string>;
  /** For an encrypted private key. */
  privateKeyPassword?: pulumi.Input<string>;
  /** Socket of an SSH agent. Default: SSH_AUTH_SOCK, when no key and no password is given. */
  agentSocketPath?: pulumi.Input<string>;
  /** The node's public host key, `ssh-ed25519 AAAA...`; several, one a line. Excludes knownHostsPath. */
  hostKey?: pulumi.Input<string>;
  /** Default ~/.ssh/known_hosts. A node that is not in there is refused, with the line to add. */
  knownHostsPath?: pulumi.Input<string>;
  /** Accept any host key. Default false. */
  insecureIgnoreHostKey?: pulumi.Input<boolean>;
  /** For a user other than root whose sudo asks for a password. Sent on standard input. Always kept as a secret. */
  sudoPassword?: pulumi.Input<string>;
  /** A bastion to go through; it may have a `proxy` itself. */
  proxy?: ConnectionArgs;
  /** Seconds for one dial. Default 15. */
  perDialTimeout?: pulumi.Input<number>;
  /** Dials before giving up. Default 10; a refused key or host key is not tried again. */
  dialErrorLimit?: pulumi.Input<number>;
}

/** How to reach nodes, where the cluster file does not say it or something else is wanted. */
export type ConnectionOverrides = Partial<ConnectionArgs>;

/** The same with its secrets marked, nothing else changed. What is an output as a whole has them marked when it is known. */
export function withSecrets(args: ConnectionArgs): ConnectionArgs | pulumi.Output<NodeConnection> {
  return isLater(args) ? (pulumi.output(args).apply(marked) as pulumi.Output<NodeConnection>) : marked(args);
}

function marked(args: ConnectionArgs): ConnectionArgs {
  const given = secretsOfConnection.filter((field) => args[field] !== undefined);
  return {
    ...args,
    ...Object.fromEntries(given.map((field) => [field, pulumi.secret(args[field])])),
    ...(args.proxy === undefined ? {} : { proxy: withSecrets(args.proxy) as ConnectionArgs }),
  };
}
