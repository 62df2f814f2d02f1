import type { NodeConnection } from "../../node";
import { isUnknown } from "../../pulumi/plainValue";

/**
 * What the operations on all push sets of one deployment share: a deployment has one provider process, and so one of
 * these.
 */
export class PushSetRun {
  /**
   * Contents by a package's fingerprint, as this run's checks have seen them. The inputs have them only where they had
   * them at the last push, so that a package that became known meanwhile does not look changed; a preview names the
   * images all the same.
   */
  private readonly listings = new Map<string, string[]>();
  private readonly unread = new Set<string>();
  /** By URN. */
  private readonly nodes = new Map<string, readonly NodeConnection[]>();

  /** How the nodes are reached whose images a push set's prune leaves alone; undefined where check was not told. */
  nodesOf(urn: string | undefined): readonly NodeConnection[] | undefined {
    return urn === undefined ? undefined : this.nodes.get(urn);
  }

  rememberNodes(urn: string | undefined, nodes: readonly NodeConnection[] | undefined): void {
    if (urn !== undefined && !isUnknown(nodes)) {
      this.nodes.set(urn, nodes ?? []);
    }
  }

  /** What check was sent of a package. */
  remember({ fingerprint, contents, unread }: { fingerprint?: unknown; contents?: unknown; unread?: unknown }): void {
    if (typeof fingerprint !== "string") {
      return;
    }
    if (Array.isArray(contents)) {
      this.listings.set(fingerprint, contents as string[]);
    }
    if (unread === true) {
      this.unread.add(fingerprint);
    }
  }

  /** Whether the program was told not to read this package for a preview. */
  leftUnread(fingerprint: unknown): boolean {
    return typeof fingerprint === "string" && this.unread.has(fingerprint);
  }

  contentsOf(fingerprint: unknown): string[] | undefined {
    return typeof fingerprint === "string" ? this.listings.get(fingerprint) : undefined;
  }
}
