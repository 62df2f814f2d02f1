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

  /** What check was sent of a package. */
  remember({ fingerprint, contents }: { fingerprint?: unknown; contents?: unknown }): void {
    if (typeof fingerprint === "string" && Array.isArray(contents)) {
      this.listings.set(fingerprint, contents as string[]);
    }
  }

  contentsOf(fingerprint: unknown): string[] | undefined {
    return typeof fingerprint === "string" ? this.listings.get(fingerprint) : undefined;
  }
}
