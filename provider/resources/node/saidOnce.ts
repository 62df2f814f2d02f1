/** What several nodes of a run have to say alike is said in full at the first of them; one line is said again. */
export class SaidOnce {
  private readonly first = new Map<string, string>();

  /**
   * @param host Whose lines they are.
   * @param what They are, where what stands above does not say so.
   */
  lines(host: string, lines: readonly string[], what?: string): string[] {
    if (lines.length <= 1) {
      return [...lines];
    }
    const text = lines.join("\n");
    const first = this.first.get(text);
    if (first !== undefined && first !== host) {
      return [`${what === undefined ? "" : `${what}: `}the same as on ${first}`];
    }
    this.first.set(text, host);
    return [...lines];
  }

  /**
   * The same for lines in blocks, each below its first line: where not all are those of one node, block by block.
   *
   * @param host Whose they are.
   */
  blocks(host: string, blocks: readonly (readonly string[])[]): string[] {
    const all = blocks.flat();
    const said = this.lines(host, all);
    if (said.length < all.length) {
      return said;
    }
    return blocks.flatMap((block) => {
      const [head = "", ...rest] = block;
      const again = this.lines(host, block);
      return rest.length > 1 && again.length < block.length ? [head, ...again.map((line) => `  ${line}`)] : [...block];
    });
  }
}
