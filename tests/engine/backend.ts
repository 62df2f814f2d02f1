import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { openCrypter, type Crypter } from "./passphrase";
import type { Project } from "./project";
import { readDeployment } from "./snapshotStore";
import { readSalt, writeSalt } from "./stackConfig";

/** The real CLI calls everybody this who keeps state in files. */
export const organization = "organization";

/** Where a project's stacks lie: the layout of the real CLI's file backend. */
export class Backend {
  constructor(
    private readonly project: Project,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  stacks(): string[] {
    const folder = join(this.folder(), this.project.name);
    if (!existsSync(folder)) return [];
    return readdirSync(folder).flatMap((name) => /^(.+)\.json$/.exec(name)?.[1] ?? []);
  }

  stateFile(stack: string): string {
    return join(this.folder(), this.project.name, `${stack}.json`);
  }

  configFile(stack: string): string {
    return join(this.project.root, `Pulumi.${stack}.yaml`);
  }

  exists(stack: string): boolean {
    return existsSync(this.stateFile(stack));
  }

  create(stack: string): void {
    if (this.exists(stack)) throw new Error(`stack '${this.qualified(stack)}' already exists`);
    if (!/^[A-Za-z0-9_.-]{1,100}$/.test(stack)) throw new Error(`a stack name may only contain alphanumeric, hyphens, underscores, or periods: ${JSON.stringify(stack)}`);
    mkdirSync(join(this.folder(), this.project.name), { recursive: true });
    writeFileSync(this.stateFile(stack), `${JSON.stringify({ version: 3, checkpoint: { stack: this.qualified(stack), latest: null } })}\n`, { mode: 0o600 });
  }

  /** @throws when resources are left. */
  remove(stack: string): void {
    const { latest } = readDeployment(this.stateFile(stack)) ?? {};
    const resources = latest?.["resources"];
    if (Array.isArray(resources) && resources.length > 0) throw new Error(`${this.qualified(stack)} still has resources; removal rejected`);
    for (const suffix of ["", ".journal", ".lock"]) rmSync(`${this.stateFile(stack)}${suffix}`, { force: true });
  }

  qualified(stack: string): string {
    return `${organization}/${this.project.name}/${stack}`;
  }

  /** The stack's key: the salt of its configuration file or of its state, and the passphrase of the environment. */
  async crypter(stack: string, configFile: string): Promise<Crypter> {
    const secrets = readDeployment(this.stateFile(stack))?.latest?.["secrets_providers"] as { type?: string; state?: { salt?: string } } | undefined;
    if (secrets?.type !== undefined && secrets.type !== "passphrase") throw new Error(`secrets provider ${secrets.type}: the test engine only knows passphrase`);
    const salt = readSalt(configFile) ?? secrets?.state?.salt;
    const crypter = await openCrypter(this.passphrase(), salt);
    if (salt === undefined) writeSalt(configFile, crypter.salt);
    return crypter;
  }

  private passphrase(): string {
    const { PULUMI_CONFIG_PASSPHRASE: phrase, PULUMI_CONFIG_PASSPHRASE_FILE: file } = this.env;
    if (phrase !== undefined) return phrase;
    if (file !== undefined) return readFileSync(file, "utf8").trim();
    throw new Error("passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables");
  }

  private folder(): string {
    const url = this.env["PULUMI_BACKEND_URL"];
    if (url !== undefined && !url.startsWith("file://")) throw new Error(`PULUMI_BACKEND_URL=${url}: the test engine only knows file:// backends`);
    const root = url === undefined ? join(this.project.root, ".test-engine") : url.startsWith("file:///") ? fileURLToPath(url) : resolve(url.slice("file://".length));
    return join(root, ".pulumi", "stacks");
  }
}
