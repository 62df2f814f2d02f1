import type * as Ssh2 from "ssh2";

let loaded: typeof Ssh2 | undefined;

/**
 * The SSH library, loaded when a node is first connected to: the engine starts the program and the provider anew in
 * every operation, and most of these processes never connect.
 */
export function ssh2(): typeof Ssh2 {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return (loaded ??= require("ssh2") as typeof Ssh2);
}
