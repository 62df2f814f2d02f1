import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { messageOf } from "../../../../provider/model/errors";
import { LabError, type LabRegistry } from "../../lab";
import { debianProgram } from "../../lab/debianProgram";
import { type CommandResult, execute, must } from "../../lab/execute";
import { cacheDir } from "../../lab/instance";

/** Debian 13 has none. A later cosign of this release is a judge as good. */
const release = "forky";

/**
 * Debian's cosign on one registry of the lab. It asks nobody but the registry: what it wants of any other address goes
 * to a proxy that refuses it and remembers.
 */
export class Cosign {
  /** What it asked of the world: `tuf-repo-cdn.sigstore.dev:443`. */
  readonly asked: string[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), "cosign-lab-"));
  private readonly proxy: Server;
  private env: NodeJS.ProcessEnv = {};

  private constructor(private readonly program: string) {
    this.proxy = createServer((request, response) => {
      this.asked.push(request.url ?? "");
      response.writeHead(403).end();
    });
    this.proxy.on("connect", (request, socket) => {
      this.asked.push(request.url ?? "");
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
  }

  /** For a `before` hook: a machine that cannot have it is a skip by name, and a failure with CI=true. */
  static async openOrSkip(context: Pick<Mocha.Context, "skip" | "timeout">): Promise<Cosign> {
    context.timeout(10 * 60_000);
    try {
      const program = await debianProgram({ name: "cosign", release }, cacheDir(), (line) => console.log(line));
      await must(program, ["version"]);
      return new Cosign(program);
    } catch (error) {
      const message = `no cosign of Debian ${release} on this machine: ${messageOf(error)}`;
      if (process.env["CI"] === "true") {
        throw new LabError("LAB_COSIGN", message);
      }
      console.warn(message);
      return context.skip();
    }
  }

  /** @param caCertPath Of the registry */
  async use({ hostPort, username, password }: LabRegistry, caCertPath: string): Promise<void> {
    await new Promise<void>((resolve) => this.proxy.listen(0, "127.0.0.1", resolve));
    const proxy = `http://127.0.0.1:${(this.proxy.address() as AddressInfo).port}`;
    const auth = Buffer.from(`${username}:${password}`).toString("base64");
    this.write("config.json", JSON.stringify({ auths: { [hostPort]: { auth } } }));
    this.env = {
      PATH: process.env["PATH"],
      HOME: this.folder,
      DOCKER_CONFIG: this.folder,
      SSL_CERT_FILE: caCertPath,
      COSIGN_PASSWORD: "of the key",
      HTTPS_PROXY: proxy,
      HTTP_PROXY: proxy,
      NO_PROXY: "127.0.0.0/8",
    };
  }

  /**
   * A key that it makes, or takes over.
   *
   * @param pem A private key
   * @returns the file of its secret half, and the public one
   */
  async keyPair(name: string, pem?: string): Promise<{ key: string; publicKeyPath: string }> {
    const prefix = join(this.folder, name);
    const how =
      pem === undefined ? ["generate-key-pair"] : ["import-key-pair", "--key", this.write(`${name}.pem`, pem)];
    await must(this.program, [...how, "--output-key-prefix", prefix], { env: this.env });
    return { key: `${prefix}.key`, publicKeyPath: `${prefix}.pub` };
  }

  /** `cosign sign` or `cosign attest`, with nothing but a key. */
  async sign(how: "sign" | "attest", key: string, image: string, more: string[] = [], env = {}): Promise<void> {
    const offline = ["--tlog-upload=false", "--use-signing-config=false"];
    const predicate = how === "attest" ? ["--type", "custom", "--predicate", this.write("scan.json", "{}")] : [];
    const args = [how, "--key", key, "--yes", ...offline, ...predicate, ...more, image];
    await must(this.program, args, { env: { ...this.env, ...env } });
  }

  /** Whether it takes an image for signed by a key. */
  async verifies(publicKeyPath: string, image: string, more: string[] = []): Promise<boolean> {
    const args = ["verify", "--key", publicKeyPath, "--insecure-ignore-tlog", ...more, image];
    const { code, stdout, stderr } = await this.run(args);
    // Its codes say too little: 1 is a wrong bundle, and any slip of ours as well.
    if (code !== 0 && !/no (matching )?(signatures|attestations)/.test(stderr)) {
      throw new LabError("LAB_COSIGN", `cosign verify ${image} ended with ${code}:\n${stderr}`);
    }
    return code === 0 && stdout.includes("docker-manifest-digest");
  }

  run(args: string[]): Promise<CommandResult> {
    return execute(this.program, args, { env: this.env, timeout: 30_000 });
  }

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  close(): void {
    this.proxy.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
