import { type Html, html, type Part } from "./html";

/** What several nodes have in common. */
export interface Alike<T> {
  readonly what: T;
  /** Places in the section's list of nodes, ascending. */
  readonly nodes: number[];
  /** In other programs' words, which differ by ports and times and so make no difference. */
  readonly said: Set<string>;
}

/** Equal things of several nodes become one; `same` tells what makes them equal. */
export class Alikes<T> {
  private readonly found = new Map<string, Alike<T>>();

  constructor(private readonly same: (what: T) => unknown) {}

  add(node: number, what: T, said?: string): void {
    const key = JSON.stringify(this.same(what));
    let alike = this.found.get(key);
    if (alike === undefined) {
      alike = { what, nodes: [], said: new Set() };
      this.found.set(key, alike);
    }
    if (alike.nodes.at(-1) !== node) {
      alike.nodes.push(node);
    }
    if (said !== undefined) {
      alike.said.add(said);
    }
  }

  all(): Alike<T>[] {
    return [...this.found.values()];
  }
}

/** A table that scrolls by itself where it is wider than the window, with the keyboard too. */
export function table(caption: string, head: readonly Part[], rows: readonly Html[], kind = "plain"): Html {
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
    <table class="${kind}">
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${head.map((cell) => (typeof cell === "string" ? html`<th scope="col">${cell}</th>` : cell))}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

/** A row; what is good is left out when only problems are asked for. */
export function row(good: boolean, nodes: Html, cells: readonly Part[]): Html {
  return html`<tr${good ? html` class="good"` : ""}>${nodes}${cells}</tr>
`;
}

/** Of containerd's words for one failure as many are shown, each with its own ports and times. */
const textsShown = 3;

/** What was said, and how much more of the kind there is. */
export function sayings(said: ReadonlySet<string>): Html | undefined {
  const more = said.size - textsShown;
  return said.size === 0
    ? undefined
    : html`<ul class="said">
        ${[...said].slice(0, textsShown).map((text) => html`<li>${text}</li>`)}${
          more > 0 ? html`<li>and ${more} more, which the verification output has</li>` : ""
        }
      </ul>`;
}
