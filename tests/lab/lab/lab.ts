import { existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { type CertificateAuthority, createAuthority } from "./certificates";
import { armCleanUp, claimInstance } from "./claim";
import { destroyGroupSync } from "./controlGroup";
import { must } from "./execute";
import { checkHost } from "./host";
import { raiseHostLimits } from "./hostLimits";
import { ensurePackages, type ExpectedImage, type ImagePackage, type ImagePackages } from "./imagePackages";
import { installTools } from "./install";
import { cacheDir, type Instance, instanceFromEnvironment, instanceOf } from "./instance";
import { backgroundLab, destroyInstanceSync, readState, runMarker, writeState } from "./instanceState";
import type { LabDescription, LabUsers, NodeDescription } from "./labDescription";
import { LabError } from "./labError";
import type { HeldLock } from "./lock";
import { LabNode } from "./node";
import { nodeName } from "./nodeName";
import { freeSshPort } from "./ports";
import { copyToRegistry } from "./publicImages";
import { LabRegistry } from "./registry";
import { describeRegistry, type RegistrySpec } from "./registryFactory";
import { randomSecret, shadowHash } from "./secrets";
import type { SeedFacts } from "./seed";
import { createClientKeys, createHostKey } from "./sshKeys";
import { ensureTree, treeName, type TreeSpec } from "./tree";

/** Hosts that the lab's second registry plays; the nodes know no other address for them. */
const publicHosts: readonly string[] = [
  "gcr.io",
  "somehost.io",
  "otherhost.io",
  "unlisted.io",
  "docker.io",
  "registry-1.docker.io",
  "quay.io",
  "registry.k8s.io",
];

export interface NodeSpec extends TreeSpec {
  /** Host name of the node; default "RELEASE" or "RELEASE-N". */
  readonly name?: string;
}

export interface LabOptions {
  /** Default: REGISTRY_MIRROR_LAB_INSTANCE, else the first free one. */
  readonly instance?: number;
  /** Default: one node of each release. */
  readonly nodes?: readonly NodeSpec[];
  /** Progress, a line at a time; default standard error. */
  readonly log?: (line: string) => void;
  /** Leave the lab running when this process ends, until `down`. */
  readonly background?: boolean;
}

export const defaultNodes: readonly NodeSpec[] = [{ release: "bookworm" }, { release: "trixie" }, { release: "forky" }];

/** Nodes boot side by side, but not all fifty at once. */
const bootingAtOnce = 6;

/** Real nodes and registries on this machine's loopback addresses. Made by `Lab.up`, ended by `down`. */
export class Lab {
  readonly nodes: LabNode[] = [];
  readonly registries: LabRegistry[] = [];
  /** Names by number, from when they are asked for on. */
  private readonly pendingNodes = new Map<number, string>();
  /** Last part of the address that the last registry without one of its own got. */
  private lastMirrorAddress = 1;
  private guard: (() => void) | undefined;
  private lock: HeldLock | undefined;
  private isDown = false;

  private constructor(
    readonly instance: Instance,
    private readonly base: Omit<LabDescription, "nodes" | "registries" | "packages">,
    private readonly sshPort: number,
    private readonly log: (line: string) => void,
  ) {}

  private imagePackages: ImagePackages | undefined;

  get runDir(): string {
    return this.base.runDir;
  }
  get keys(): LabDescription["keys"] {
    return this.base.keys;
  }
  get users(): LabUsers {
    return this.base.users;
  }
  get knownHostsPath(): string {
    return this.base.knownHostsPath;
  }
  get privateAuthority(): CertificateAuthority {
    return this.base.privateAuthority;
  }
  get publicAuthority(): CertificateAuthority {
    return this.base.publicAuthority;
  }

  /** Image packages by foreign tools, with the digests these computed. */
  get packages(): ImagePackages {
    if (!this.imagePackages) throw new LabError("LAB_NOT_UP", "the lab's packages are not ready");
    return this.imagePackages;
  }

  /** The private registry at 127.I.20.1:5000: TLS of the private authority, basic authentication. */
  get mirror(): LabRegistry {
    return this.registry("mirror");
  }

  /** The registry that plays gcr.io and the other public hosts, at 127.I.30.1:443. */
  get public(): LabRegistry {
    return this.registry("public");
  }

  node(name: string): LabNode {
    const found = this.nodes.find((node) => node.name === name);
    if (!found)
      throw new LabError(
        "LAB_NO_NODE",
        `the lab has no node "${name}": it has ${this.nodes.map((node) => node.name).join(", ")}`,
      );
    return found;
  }

  registry(name: string): LabRegistry {
    const found = this.registries.find((registry) => registry.name === name);
    if (!found)
      throw new LabError(
        "LAB_NO_REGISTRY",
        `the lab has no registry "${name}": it has ${this.registries.map((registry) => registry.name).join(", ")}`,
      );
    return found;
  }

  /** Makes a lab. Whatever ends this process later, the lab ends with it (but for `background`). */
  static async up(options: LabOptions = {}): Promise<Lab> {
    const log = options.log ?? ((line: string) => process.stderr.write(`lab: ${line}\n`));
    const check = checkHost();
    if (!check.ok)
      throw new LabError("LAB_HOST", `the lab cannot run on this machine:\n- ${check.missing.join("\n- ")}`);
    await installTools(log);
    const { instance, lock } = await claimInstance(options.instance ?? instanceFromEnvironment());
    const disarm = armCleanUp(instance);
    try {
      const lab = await Lab.prepare(instance, log);
      lab.lock = lock;
      lab.guard = disarm;
      await lab.fill(options.nodes ?? defaultNodes);
      lab.writeDown(options.background ?? false);
      if (options.background) {
        disarm();
        await lock.release();
      }
      return lab;
    } catch (error) {
      destroyInstanceSync(instance);
      disarm();
      await lock.release();
      throw error;
    }
  }

  /** A handle on a lab that was left running (`npm run lab -- up`); undefined when there is none. */
  static attach(number: number = instanceFromEnvironment() ?? 0): Lab | undefined {
    const instance = instanceOf(number);
    const description = backgroundLab(instance)?.lab;
    if (!description) return undefined;
    const { nodes, registries, packages, ...base } = description;
    const lab = new Lab(instance, base, nodes[0]?.port ?? 22, () => undefined);
    lab.imagePackages = packages;
    lab.registries.push(...registries.map((registry) => new LabRegistry(registry)));
    lab.nodes.push(...nodes.map((node) => new LabNode(node, lab.seedFacts())));
    nodes.forEach(({ index, name }) => lab.pendingNodes.set(index, name));
    return lab;
  }

  /** Everything about the lab as plain data. Holds the lab's own throw-away credentials. */
  describe(): LabDescription {
    return {
      ...this.base,
      nodes: this.nodes.map((node) => node.description),
      registries: this.registries.map((registry) => registry.description),
      packages: this.packages,
    };
  }

  /** Boots further nodes. */
  async addNodes(specs: readonly NodeSpec[]): Promise<LabNode[]> {
    const waiting = specs.map((spec) => this.describeNode(spec));
    const added: LabNode[] = [];
    const queue = [...waiting];
    const boot = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const node = await next();
        await node.create();
        added.push(node);
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(bootingAtOnce, specs.length) }, boot));
    } finally {
      queue.length = 0;
    }
    added.sort((left, right) => left.description.index - right.description.index);
    this.nodes.push(...added);
    this.nodes.sort((left, right) => left.description.index - right.description.index);
    this.writeKnownHosts();
    this.writeDown();
    return added;
  }

  async addNode(spec: NodeSpec): Promise<LabNode> {
    const [node] = await this.addNodes([spec]);
    return node as LabNode;
  }

  /** Ends a node for good; its address becomes free. */
  removeNode(node: LabNode): void {
    node.destroy();
    rmSync(node.description.folder, { recursive: true, force: true });
    this.nodes.splice(this.nodes.indexOf(node), 1);
    this.pendingNodes.delete(node.description.index);
    this.writeKnownHosts();
    this.writeDown();
  }

  /** Starts a further registry. */
  async addRegistry(spec: RegistrySpec): Promise<LabRegistry> {
    if (this.registries.some((registry) => registry.name === spec.name))
      throw new LabError("LAB_REGISTRY", `the lab has a registry "${spec.name}" already`);
    const address = spec.address ?? this.instance.mirrorAddress(++this.lastMirrorAddress);
    const registry = new LabRegistry(
      await describeRegistry({ ...this.base, cgroup: this.instance.cgroup, log: this.log }, { ...spec, address }),
    );
    this.registries.push(registry);
    try {
      await registry.start();
    } catch (error) {
      this.registries.splice(this.registries.indexOf(registry), 1);
      throw error;
    }
    this.writeDown();
    return registry;
  }

  /** Ends a registry for good and forgets what it held. */
  removeRegistry(registry: LabRegistry): void {
    registry.stop();
    rmSync(registry.description.folder, { recursive: true, force: true });
    this.registries.splice(this.registries.indexOf(registry), 1);
    this.writeDown();
  }

  /**
   * Copies images of a package into the public registry, where nodes find them under their own names. Default: all of
   * `publicOnly`.
   */
  async pushPublic(
    source: ImagePackage = this.packages.publicOnly,
    only?: (image: ExpectedImage) => boolean,
  ): Promise<void> {
    await copyToRegistry(source, this.public, only ? { only } : {});
  }

  /** Ends everything and deletes what the lab wrote; trees and packages stay in the cache. */
  async down(): Promise<void> {
    if (this.isDown) return;
    this.isDown = true;
    destroyInstanceSync(this.instance);
    this.guard?.();
    await this.lock?.release();
  }

  private static async prepare(instance: Instance, log: (line: string) => void): Promise<Lab> {
    // Leftovers of a run that was killed: its processes and mounts would be in the way.
    destroyInstanceSync(instance);
    const cache = cacheDir();
    mkdirSync(join(cache, "run"), { recursive: true });
    mkdirSync(join(cache, "trees"), { recursive: true });
    const runDir = join(realpathSync(join(cache, "run")), String(instance.number));
    writeState(instance, { version: 1, runDir, owner: process.pid, background: false });
    // A folder of a run whose note was lost (the machine was restarted).
    if (existsSync(join(runDir, runMarker))) destroyInstanceSync(instance);
    writeState(instance, { version: 1, runDir, owner: process.pid, background: false });
    mkdirSync(runDir, { mode: 0o700 });
    writeFileSync(join(runDir, runMarker), "");
    raiseHostLimits(log);
    const password = randomSecret("deploy");
    const [keys, privateAuthority, publicAuthority, shadow, sshPort] = await Promise.all([
      createClientKeys(runDir, randomSecret("passphrase")),
      createAuthority(join(runDir, "ca"), "private-ca"),
      createAuthority(join(runDir, "ca"), "public-ca"),
      shadowHash(password),
      freeSshPort(instance),
    ]);
    const users: LabUsers = {
      root: { name: "root" },
      admin: { name: "admin" },
      deploy: { name: "deploy", password, shadow },
      guest: { name: "guest" },
    };
    const base = {
      instance: instance.number,
      runDir,
      keys,
      knownHostsPath: join(runDir, "known_hosts"),
      users,
      privateAuthority,
      publicAuthority,
      publicHosts,
    };
    return new Lab(instance, base, sshPort, log);
  }

  /** Registries, packages and nodes side by side; a node boots as soon as its tree is there. */
  private async fill(nodes: readonly NodeSpec[]): Promise<void> {
    const started = Date.now();
    const cache = cacheDir();
    await allOrNone(
      () => destroyGroupSync(this.instance.cgroup),
      [
        this.addRegistry({
          name: "mirror",
          address: this.instance.mirrorAddress(1),
          auth: "basic",
          names: ["mirror.lab.internal"],
        }),
        this.addRegistry({
          name: "public",
          address: this.instance.publicAddress(1),
          port: 443,
          tls: "public",
          names: publicHosts,
        }),
        ensurePackages(cache, this.log).then((packages) => {
          this.imagePackages = packages;
        }),
        // Two builds going at most: this machine may have no more than two cores.
        this.buildTrees(nodes).then(() => this.addNodes(nodes)),
      ],
    );
    this.log(
      `up in ${((Date.now() - started) / 1000).toFixed(1)} s: ${this.nodes.length} nodes, ${this.registries.length} registries`,
    );
  }

  private async buildTrees(wanted: readonly TreeSpec[]): Promise<void> {
    const queue = [...new Map(wanted.map((spec) => [treeName(spec), spec])).values()];
    const build = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift())
        await ensureTree(next, { cache: cacheDir(), instance: this.instance, log: this.log });
    };
    await Promise.all([build(), build()]);
  }

  /** Reserves number and name at once; the returned function makes the keys. */
  private describeNode(spec: NodeSpec): () => Promise<LabNode> {
    let index = 1;
    while (this.pendingNodes.has(index)) index++;
    const name = nodeName(spec, index, this.pendingNodes.values());
    this.pendingNodes.set(index, name);
    return async () => {
      const tree = await ensureTree(spec, { cache: cacheDir(), instance: this.instance, log: this.log });
      const folder = join(this.runDir, "nodes", name);
      mkdirSync(folder, { recursive: true });
      const address = this.instance.nodeAddress(index);
      const key = await createHostKey(join(folder, "host_key"), this.keys.hostAuthority, [address, name]);
      const fingerprint =
        (await must("ssh-keygen", ["-l", "-f", `${key.privateKeyPath}.pub`])).stdout.split(" ")[1] ?? "";
      const description: NodeDescription = {
        name,
        index,
        release: spec.release,
        containerdVersion: tree.containerdVersion,
        address,
        port: this.sshPort,
        hostKey: key.publicKey,
        hostKeyFingerprint: fingerprint,
        folder,
        tree: tree.folder,
        group: `${this.instance.cgroup}/node-${name}`,
      };
      return new LabNode(description, this.seedFacts());
    };
  }

  private seedFacts(): SeedFacts {
    const names = Object.fromEntries(publicHosts.map((host) => [host, this.instance.publicAddress(1)]));
    return {
      keys: this.keys,
      users: this.users,
      publicCaPath: this.publicAuthority.certPath,
      names: { ...names, "mirror.lab.internal": this.instance.mirrorAddress(1) },
      deadResolver: this.instance.deadResolver,
    };
  }

  private writeKnownHosts(): void {
    const rows = this.nodes.map(
      (node) => `${node.port === 22 ? node.address : `[${node.address}]:${node.port}`} ${node.hostKey}\n`,
    );
    writeFileSync(this.knownHostsPath, rows.join(""));
  }

  private writeDown(background = readState(this.instance)?.background ?? false): void {
    if (!this.imagePackages || this.isDown) return;
    writeState(this.instance, {
      version: 1,
      runDir: this.runDir,
      owner: process.pid,
      background,
      lab: this.describe(),
    });
  }
}

/**
 * Waits for all of them. When one fails, what the others have started is ended so that they fail soon, and the error is
 * the first one's: the others' are its consequences.
 */
async function allOrNone(endTheRest: () => void, work: readonly Promise<unknown>[]): Promise<void> {
  const errors: unknown[] = [];
  const failed = (error: unknown): void => {
    errors.push(error);
    endTheRest();
  };
  await Promise.all(work.map((promise) => promise.catch(failed)));
  if (errors.length > 0) throw errors[0];
}
