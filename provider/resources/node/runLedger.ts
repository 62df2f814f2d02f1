import type { OperationLog } from "../../model/context";

/**
 * What became of the nodes in this run, for the one sentence that a person needs after a failure: which are new, which
 * failed, which are as they were.
 *
 * One provider process serves all nodes of a deployment, so it can count them; which nodes it was never asked about it
 * cannot know, and need not: Pulumi begins nothing after a failure, so all others are as they were.
 */
export class RunLedger {
  private readonly running = new Set<string>();
  private readonly changed: string[] = [];
  private readonly failed: string[] = [];

  /**
   * Runs the change of one node. When one has failed and the last that was under way has ended, the summary goes to
   * that node's log.
   */
  async track<T>(node: string, log: OperationLog, work: () => Promise<T>): Promise<T> {
    this.running.add(node);
    let outcome = this.failed;
    try {
      const result = await work();
      outcome = this.changed;
      return result;
    } finally {
      this.running.delete(node);
      outcome.push(node);
      if (this.failed.length > 0 && this.running.size === 0 && this.failed.length + this.changed.length > 1) {
        log.warn(this.summary());
      }
    }
  }

  private summary(): string {
    return [
      `The rollout stopped: ${this.failed.length} of the ${this.failed.length + this.changed.length} nodes that were begun failed.`,
      `  failed: ${some(this.failed)} (what each has now, its own error says)`,
      `  new, changed and verified in this run: ${this.changed.length === 0 ? "none" : some(this.changed)}`,
      "  old: every other node; nothing was begun there, and each has what it had before this run",
      "`pulumi up` goes on from here: nodes that are new are not touched again.",
    ].join("\n");
  }
}

function some(names: readonly string[]): string {
  const shown = 20;
  return names.length <= shown
    ? names.join(", ")
    : `${names.slice(0, shown).join(", ")} and ${names.length - shown} more`;
}
