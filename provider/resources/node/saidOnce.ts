/** What several nodes of a run have to say alike is said in full at the first of them. */
export class SaidOnce {
  private readonly first = new Map<string, string>();

  /** @param host Whose lines they are. */
  lines(host: string, lines: readonly string[]): string[] {
    if (lines.length === 0) {
      return [];
    }
    const text = lines.join("\n");
    const first = this.first.get(text);
    if (first !== undefined && first !== host) {
      return [`the same as on ${first}`];
    }
    this.first.set(text, host);
    return [...lines];
  }
}
