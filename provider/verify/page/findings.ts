import type { NodeVerification } from "../nodeVerification";
import { type Html, html } from "./html";
import type { NodeLists } from "./nodeLists";
import { Alikes, row, table } from "./rows";

/** What a person should read besides the verdicts, each once. */
export function findings(nodes: readonly NodeVerification[], lists: NodeLists): Html | undefined {
  const alikes = new Alikes<string>((finding) => finding);
  for (const [n, node] of nodes.entries()) {
    for (const finding of node.findings ?? []) {
      alikes.add(n, finding);
    }
  }
  const rows = alikes
    .all()
    .map(({ what, nodes: alike }) => row(false, lists.cell(alike), [html`<td class="long"><bdi>${what}</bdi></td>`]));
  return rows.length === 0 ? undefined : table("Findings", ["nodes", "finding"], rows);
}
