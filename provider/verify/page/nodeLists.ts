import { type Html, html, join } from "./html";

/** As many names stand in a row themselves. */
const namedInRow = 5;

/**
 * Which nodes a row is about. Rows are often about the same nodes, of a thousand or so; each such list stands at the
 * section's end once, and the rows lead there.
 */
export class NodeLists {
  private readonly lists = new Map<string, { id: string; nodes: readonly number[] }>();

  /** @param names All nodes of the section. A row's nodes are places in it, ascending. */
  constructor(
    private readonly section: string,
    private readonly names: readonly string[],
  ) {}

  /** A row's first cell. */
  cell(nodes: readonly number[]): Html {
    if (nodes.length <= namedInRow) {
      return html`<th scope="row">${this.named(nodes)}</th>`;
    }
    const missing = this.names.length - nodes.length;
    if (missing <= namedInRow) {
      return this.nearlyAll(nodes, missing);
    }
    const id = this.idOf(nodes);
    return html`<th scope="row" data-list="${id}">
      <a href="#${id}">${nodes.length} nodes</a> <small>${this.named(nodes.slice(0, 3))} …</small>
    </th>`;
  }

  private nearlyAll(nodes: readonly number[], missing: number): Html {
    const id = this.idOf([...this.names.keys()]);
    if (missing === 0) {
      return html`<th scope="row" data-list="${id}"><a href="#${id}">all ${nodes.length} nodes</a></th>`;
    }
    const present = new Set(nodes);
    const others = [...this.names.keys()].filter((node) => !present.has(node));
    return html`<th scope="row" data-list="${id}" data-but="named">
      <a href="#${id}">${nodes.length} of ${this.names.length} nodes</a> <small>all but ${this.named(others)}</small>
    </th>`;
  }

  /** The lists that rows lead to. */
  render(): Html | undefined {
    return this.lists.size === 0
      ? undefined
      : html`<section class="lists">
          <h3>Lists of nodes</h3>
          ${[...this.lists.values()].map(
            ({ id, nodes }) =>
              html`<div id="${id}">
                <h4>${nodes.length} nodes</h4>
                <ol>
                  ${nodes.map((node) => html`<li>${this.names[node]}</li>`)}
                </ol>
              </div> `,
          )}
        </section>`;
  }

  private named(nodes: readonly number[]): Html {
    return join(
      nodes.map((node) => html`<bdi>${this.names[node]}</bdi>`),
      ", ",
    );
  }

  private idOf(nodes: readonly number[]): string {
    const key = nodes.join();
    const known = this.lists.get(key);
    if (known !== undefined) {
      return known.id;
    }
    const id = `${this.section}-list-${this.lists.size + 1}`;
    this.lists.set(key, { id, nodes });
    return id;
  }
}
