import type { ChildProcess } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { connect, isIPv6 } from "node:net";
import { join } from "node:path";

import { type AccessLogEntry, parseAccessLog } from "./accessLog";
import { destroyGroupSync, groupIsAlive, hasEnded, spawnInGroup } from "./controlGroup";
import { LabError } from "./labError";
import { sleep } from "./sleep";

/** How a registry of the lab asks for credentials. "token" is the Bearer flow with a token server. */
export type RegistryAuth = "none" | "basic" | "token";

/** All that is needed to reach and to run a registry; plain data, so that another process can pick it up. */
export interface RegistryDescription {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly scheme: "http" | "https";
  /** "127.0.20.1:5000", "[::1]:5000". */
  readonly hostPort: string;
  /** scheme://hostPort */
  readonly endpoint: string;
  readonly auth: RegistryAuth;
  /** With "basic" and "token". */
  readonly username?: string;
  readonly password?: string;
  /** The certificate authority of a https registry: what a client gives as CA file. */
  readonly caCertPath?: string;
  /** Public names its certificate is valid for. */
  readonly names: readonly string[];
  readonly folder: string;
  readonly group: string;
  readonly command: readonly string[];
  /** Companion processes (the token server) that start and stop with it. */
  readonly helpers: readonly {
    readonly name: string;
    readonly command: readonly string[];
    readonly address: string;
    readonly port: number;
  }[];
}

/** A place in the access log, to ask later for what came after it. */
export type LogMark = number & { readonly mark?: unique symbol };

/** A real registry (the distribution project's) as a process of the lab. */
export class LabRegistry {
  constructor(readonly description: RegistryDescription) {}

  get name(): string {
    return this.description.name;
  }
  get hostPort(): string {
    return this.description.hostPort;
  }
  get endpoint(): string {
    return this.description.endpoint;
  }
  get username(): string | undefined {
    return this.description.username;
  }
  get password(): string | undefined {
    return this.description.password;
  }
  get caCertPath(): string | undefined {
    return this.description.caCertPath;
  }
  get accessLogPath(): string {
    return join(this.description.folder, "access.log");
  }
  get dataDir(): string {
    return join(this.description.folder, "data");
  }

  async start(): Promise<void> {
    if (this.isRunning()) return;
    const { folder, group, command, helpers } = this.description;
    mkdirSync(this.dataDir, { recursive: true });
    for (const helper of helpers) {
      const log = join(folder, `${helper.name}.log`);
      const child = spawnInGroup(group, helper.command, { stdoutFile: log, stderrFile: log });
      await this.waitForPort(child, helper.address, helper.port, log);
    }
    const log = join(folder, "registry.log");
    const child = spawnInGroup(group, command, {
      stdoutFile: this.accessLogPath,
      stderrFile: log,
      // Its tracing would otherwise look for a collector.
      env: { PATH: process.env.PATH, HOME: folder, OTEL_TRACES_EXPORTER: "none" },
    });
    await this.waitForPort(child, this.description.address, this.description.port, log);
  }

  /** Ends the process at once; the data stay. */
  stop(): void {
    destroyGroupSync(this.description.group);
  }

  isRunning(): boolean {
    return groupIsAlive(this.description.group);
  }

  /** Forgets everything that was pushed, and the log. */
  async reset(): Promise<void> {
    const running = this.isRunning();
    this.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
    if (existsSync(this.accessLogPath)) truncateSync(this.accessLogPath);
    if (running) await this.start();
  }

  mark(): LogMark {
    return existsSync(this.accessLogPath) ? statSync(this.accessLogPath).size : 0;
  }

  /** What was asked since the mark, or since the start; in the order in which the answers were finished. */
  requests(since: LogMark = 0): AccessLogEntry[] {
    if (!existsSync(this.accessLogPath)) return [];
    const size = statSync(this.accessLogPath).size;
    const buffer = Buffer.alloc(Math.max(0, size - since));
    const file = openSync(this.accessLogPath, "r");
    try {
      readSync(file, buffer, 0, buffer.length, since);
    } finally {
      closeSync(file);
    }
    return parseAccessLog(buffer.toString());
  }

  private async waitForPort(child: ChildProcess, address: string, port: number, log: string): Promise<void> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      if (await answers(address, port)) return;
      if (hasEnded(child) || Date.now() > deadline) {
        const said = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").slice(-5).join("\n") : "";
        this.stop();
        throw new LabError(
          "LAB_REGISTRY",
          `the registry "${this.name}" does not answer at ${address}:${port}:\n${said}`,
        );
      }
      await sleep(30);
    }
  }
}

function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** Writes a distribution registry's configuration. JSON is YAML. */
export function writeRegistryConfig(
  file: string,
  options: {
    readonly address: string;
    readonly port: number;
    readonly dataDir: string;
    readonly secret: string;
    readonly tls?: { readonly certPath: string; readonly keyPath: string };
    readonly auth?: Record<string, Record<string, string>>;
    readonly layerUrls?: boolean;
  },
): void {
  const host = isIPv6(options.address) ? `[${options.address}]` : options.address;
  const config = {
    version: 0.1,
    log: { level: "info", formatter: "json", accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: options.dataDir },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: {
      addr: `${host}:${options.port}`,
      secret: options.secret,
      ...(options.tls ? { tls: { certificate: options.tls.certPath, key: options.tls.keyPath } } : {}),
    },
    ...(options.auth ? { auth: options.auth } : {}),
    ...(options.layerUrls === true ? { validation: { manifests: { urls: { allow: ["^https?://"] } } } } : {}),
  };
  writeFileSync(file, JSON.stringify(config, undefined, 2), { mode: 0o600 });
}
