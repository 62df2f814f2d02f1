import type { Client, ClientChannel } from "ssh2";

import { messageOf } from "../../model/errors";
import { NodeError } from "../nodeError";

/** Opens an exec channel. Errors: `NODE_SHELL` when the server refuses (no sessions, forced command). */
export function openExec(client: Client, command: string, node: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    try {
      client.exec(command, (error, channel) => {
        if (error) {
          reject(
            new NodeError(
              "NODE_SHELL",
              node,
              `no command could be started over SSH (${messageOf(error)}); the server may limit sessions ` +
                "(MaxSessions) or this user",
              { cause: error },
            ),
          );
        } else {
          resolve(channel);
        }
      });
    } catch (error) {
      // ssh2 throws "Not connected" at once when the connection has just gone.
      reject(new NodeError("NODE_LOST", node, `the SSH connection is gone (${messageOf(error)})`, { cause: error }));
    }
  });
}
