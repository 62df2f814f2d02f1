import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentProtocol, type ParsedKey, utils } from "ssh2";

/** An SSH agent with one key, speaking the agent protocol on a unix socket. */
export class TestAgent {
  readonly folder = mkdtempSync(join(tmpdir(), "agent-"));
  readonly path = join(this.folder, "agent.sock");
  signatures = 0;
  private readonly server: Server;

  private constructor(privateKey: string) {
    const key = utils.parseKey(privateKey) as ParsedKey;
    this.server = createServer((socket) => {
      const agent = new AgentProtocol(false);
      agent.on("identities", (request) => agent.getIdentitiesReply(request, [key]));
      agent.on("sign", (request, _public, data, options) => {
        this.signatures++;
        agent.signReply(request, key.sign(data, options.hash));
      });
      socket.on("error", () => {});
      socket.pipe(agent).pipe(socket);
    });
  }

  static async start(privateKey: string): Promise<TestAgent> {
    const agent = new TestAgent(privateKey);
    await new Promise<void>((resolve) => agent.server.listen(agent.path, resolve));
    return agent;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
