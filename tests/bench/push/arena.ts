import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { usageOf } from "../processUsage";

const lateMs = 2000;

/**
 * Where a race takes place: a network of its own that has nothing but a loopback (so that the kernel's counters say
 * exactly what was sent), and in it a real registry with TLS, whose disk writes are as durable as it does them by
 * itself.
 */
export class Arena {
  readonly folder = mkdtempSync(join(tmpdir(), "push-bench-"));
  readonly hostPort = "127.0.0.1:5000";
  /** The same registry, each answer two seconds late; once `startLate` has been called. */
  readonly lateHostPort = "127.0.0.1:5001";
  /** Another registry, which images are copied from; once `startSource` has been called. */
  readonly sourceHostPort = "127.0.0.1:5002";
  private holder: ChildProcess | undefined;
  private registry: ChildProcess | undefined;
  private source: ChildProcess | undefined;
  private late: ChildProcess | undefined;

  constructor(private readonly registryProgram: string) {}

  get caPath(): string {
    return join(this.folder, "ca.crt");
  }

  async open(): Promise<void> {
    this.makeCertificate();
    this.holder = spawn("unshare", ["--net", "sh", "-c", "ip link set lo up && echo ready && exec sleep infinity"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise<void>((resolve, reject) => {
      this.holder?.stdout?.once("data", () => resolve());
      this.holder?.once("exit", (code) =>
        reject(new Error(`unshare --net ended with ${code}: the benchmark needs root and iproute2`)),
      );
    });
  }

  /** A command as it runs inside. */
  inside(command: readonly string[]): string[] {
    return ["nsenter", `--net=/proc/${this.holder?.pid as number}/ns/net`, "--", ...command];
  }

  /** Bytes over the network since it began, headers and answers included. */
  bytes(): number {
    const line =
      /^\s*lo:\s*(.*)$/m.exec(readFileSync(`/proc/${this.holder?.pid as number}/net/dev`, "utf8"))?.[1] ?? "";
    return Number(line.trim().split(/\s+/)[8]);
  }

  async startFreshRegistry(): Promise<void> {
    await this.stopRegistry();
    this.registry = this.serve("data", 5000);
  }

  startSource(): void {
    this.source ??= this.serve("source", 5002);
  }

  /** The other registry as one that has nothing yet. */
  async startFreshSource(): Promise<void> {
    const { source } = this;
    this.source = undefined;
    await ended(source);
    this.startSource();
  }

  private serve(name: string, port: number): ChildProcess {
    const data = join(this.folder, name);
    rmSync(data, { recursive: true, force: true });
    mkdirSync(data);
    const config = join(this.folder, `${name}.yml`);
    writeFileSync(
      config,
      JSON.stringify({
        version: 0.1,
        log: { level: "error", accesslog: { disabled: true } },
        storage: { filesystem: { rootdirectory: data }, delete: { enabled: true } },
        http: {
          addr: `127.0.0.1:${port}`,
          secret: "benchmark",
          tls: { certificate: join(this.folder, "server.crt"), key: join(this.folder, "server.key") },
        },
      }),
    );
    const [program, ...args] = this.inside([this.registryProgram, "serve", config]);
    const log = openSync(join(this.folder, "registry.log"), "a");
    const registry = spawn(program as string, args, {
      stdio: ["ignore", log, log],
      env: { PATH: process.env["PATH"], OTEL_TRACES_EXPORTER: "none" },
    });
    this.waitForPort(port);
    return registry;
  }

  startLate(): void {
    const [program, ...args] = this.inside([
      process.execPath,
      join(__dirname, "late.mjs"),
      "5001",
      "5000",
      String(lateMs),
      this.folder,
    ]);
    this.late ??= spawn(program as string, args, { stdio: ["ignore", "inherit", "inherit"] });
    this.waitForPort(5001);
  }

  /** CPU seconds of the registry since it began. */
  registryCpuSeconds(): number {
    return this.registry?.pid === undefined ? 0 : (usageOf(this.registry.pid)?.cpuSeconds ?? 0);
  }

  private waitForPort(port: number): void {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const probe = spawnSync("nsenter", [
        `--net=/proc/${this.holder?.pid as number}/ns/net`,
        "--",
        process.execPath,
        "-e",
        `require('net').connect(${port},'127.0.0.1').on('connect',()=>process.exit(0)).on('error',()=>process.exit(1))`,
      ]);
      if (probe.status === 0) {
        return;
      }
      if (Date.now() > deadline) {
        throw new Error(
          `nothing answers at port ${port}: ${readFileSync(join(this.folder, "registry.log"), "utf8").slice(-2000)}`,
        );
      }
    }
  }

  async stopRegistry(): Promise<void> {
    const { registry } = this;
    this.registry = undefined;
    await ended(registry);
    // What the registry has written must not be written out during the next race.
    spawnSync("sync");
  }

  async close(): Promise<void> {
    await this.stopRegistry();
    this.late?.kill("SIGKILL");
    this.source?.kill("SIGKILL");
    this.holder?.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  private makeCertificate(): void {
    const run = (...args: string[]): void => {
      const done = spawnSync("openssl", args, { cwd: this.folder, encoding: "utf8" });
      if (done.status !== 0) {
        throw new Error(`openssl ${args[0]}: ${done.stderr}`);
      }
    };
    writeFileSync(join(this.folder, "ext"), "subjectAltName=IP:127.0.0.1\n");
    run(
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      "ca.key",
      "-out",
      "ca.crt",
      "-days",
      "2",
      "-subj",
      "/CN=benchmark CA",
    );
    run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=registry");
    run(
      "x509",
      "-req",
      "-in",
      "server.csr",
      "-CA",
      "ca.crt",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-days",
      "2",
      "-extfile",
      "ext",
      "-out",
      "server.crt",
    );
    mkdirSync(join(this.folder, "certs.d"));
    writeFileSync(join(this.folder, "certs.d", "ca.crt"), readFileSync(this.caPath));
  }
}

/** Kills it, and waits until it is gone. */
async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child?.exitCode === null) {
    await new Promise((resolve) => {
      child.once("exit", resolve);
      child.kill("SIGKILL");
    });
  }
}

/** The program, or undefined where there is none. */
export function onPath(program: string): string | undefined {
  const found = (process.env["PATH"] ?? "")
    .split(":")
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
  return found;
}
