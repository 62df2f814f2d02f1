import { readFileSync } from "node:fs";

import type { EffectiveRegistry } from "../../../../provider/containerd/containerdPlan";
import type {
  AuthKinds,
  ConfigStyle,
  Credentials,
  DesiredHost,
  DesiredMirror,
} from "../../../../provider/containerd/desired";
import { planContainerd } from "../../../../provider/containerd/plan/planContainerd";
import { effectiveRegistry } from "../../../../provider/containerd/read/effectiveRegistry";
import { renderFiles } from "../../../../provider/containerd/render/renderFiles";
import { atLeast, type ContainerdVersion, parseContainerdVersion } from "../../../../provider/containerd/version";
import { silentLog } from "../../../../provider/model/context";
import { messageOf } from "../../../../provider/model/errors";
import { type ApplyResult, applyToNode, connectNode, type Node, restoreNode } from "../../../../provider/node";
import type { Lab, LabNode } from "../../lab";

export const hostsDir = "/etc/containerd/certs.d";
const owner = { urn: "lab/containerd", token: "c0" };

export interface Declaration {
  credentials?: Credentials;
  auth?: AuthKinds;
  configStyle?: ConfigStyle | "auto";
  /** Where the SDK has drawn them already. */
  files?: Record<string, string>;
}

export interface MirrorOptions {
  /** CA certificate that the mirror's is signed with, a path on this machine. */
  ca?: string;
  credential?: boolean;
  insecure?: boolean;
}

/** PEM texts of the mirrors declared so far, by the path on a node. */
const authorities: Record<string, string> = {};

/** A mirror as the SDK makes it of an endpoint. */
export function mirror(endpoint: string, options: MirrorOptions = {}): DesiredMirror {
  const authority = endpoint.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  const caPath = `${hostsDir}/${authority}/ca.crt`;
  if (options.ca !== undefined) {
    authorities[caPath] = readFileSync(options.ca, "utf8");
  }
  return {
    endpoint,
    ...(options.ca === undefined ? {} : { caPath }),
    ...(options.credential === true ? { credential: authority } : {}),
    ...(options.insecure === true ? { insecure: true } : {}),
  };
}

export function host(name: string, mirrors: DesiredMirror[], skipFallback = false): DesiredHost {
  return { host: name, mirrors, skipFallback };
}

/**
 * A lab node that is configured the way a program's resource does it: over SSH, as a transaction, and asked through
 * CRI.
 */
export class ConfiguredNode {
  /** Of the containerd that runs there. */
  version: ContainerdVersion;
  private startsBefore = 1;

  /** @param program another containerd than the release's own, a path on this machine */
  constructor(
    private readonly lab: Lab,
    readonly machine: LabNode,
    private readonly hostNames: Readonly<Record<string, string>>,
    private readonly program?: string,
  ) {
    this.version = parseContainerdVersion(machine.containerdVersion);
  }

  /** True for 1.6 and 1.7. */
  get isOld(): boolean {
    return !atLeast(this.version, 2);
  }

  /** A fresh disk with the suite's host names, and the containerd under test. */
  async reset(): Promise<void> {
    await this.machine.reset();
    await this.machine.setHostNames(this.hostNames);
    if (this.program !== undefined) {
      await this.machine.writeFile("/usr/bin/containerd.new", readFileSync(this.program), "0755");
      await this.machine.exec("mv /usr/bin/containerd.new /usr/bin/containerd && systemctl restart containerd");
      this.version = parseContainerdVersion((await this.machine.exec("containerd --version")).stdout);
    }
    this.startsBefore = (await this.machine.containerd()).starts;
  }

  /** Restarts since the last reset. */
  async restarts(): Promise<number> {
    return (await this.machine.containerd()).starts - this.startsBefore;
  }

  async apply(hosts: DesiredHost[], declared: Declaration = {}): Promise<ApplyResult<undefined>> {
    const desired = {
      hosts,
      files: declared.files ?? renderFiles(hosts, authorities, hostsDir),
      credentials: declared.credentials ?? {},
      auth: declared.auth ?? {},
      configStyle: declared.configStyle ?? ("auto" as const),
      hostsDir,
    };
    return this.reach((node) =>
      applyToNode(node, { owner, hostsDirs: [hostsDir], plan: (observed) => planContainerd(observed, desired) }),
    );
  }

  /** What this node's containerd does with pulls, read from its files as a verification does. */
  async effective(): Promise<EffectiveRegistry> {
    return effectiveRegistry(await this.reach((node) => node.observe({ hostsDirs: [hostsDir], allowDown: true })));
  }

  async restore(): Promise<void> {
    await this.reach((node) => restoreNode(node, { owner, hostsDirs: [hostsDir] }));
  }

  /**
   * Pulls through CRI, with nothing of earlier pulls left on the node. Gives the repo digests, or containerd's error.
   */
  async pull(
    image: string,
  ): Promise<{ digests: string[]; error?: undefined } | { error: string; digests?: undefined }> {
    await this.machine.resetImages();
    return this.reach(async (node) => {
      const cri = node.cri((await node.observe({ hostsDirs: [] })).socketPath);
      try {
        await cri.pullImage(image, 60_000);
        return { digests: (await cri.imageStatus(image))?.repoDigests ?? [] };
      } catch (error) {
        return { error: messageOf(error) };
      } finally {
        cri.close();
      }
    });
  }

  async reach<T>(work: (node: Node) => Promise<T>): Promise<T> {
    const { address, port, hostKey } = this.machine;
    const node = await connectNode(
      { host: address, port, hostKey, user: "root", privateKeyPath: this.lab.keys.plain.privateKeyPath },
      { signal: new AbortController().signal, log: silentLog },
    );
    try {
      return await work(node);
    } finally {
      node.close();
    }
  }
}
