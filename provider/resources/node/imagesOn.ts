import type { LayoutChoice } from "../../containerd/layout/layouts";
import type { OperationContext } from "../../model/context";
import type { Problem } from "../../model/problem";
import type { NodeConnection } from "../../node";
import type { HeldImage } from "../../verify/coverage/heldImages";
import { imagesHeld } from "../../verify/coverage/heldImages";
import { visitBriefly } from "./briefly";
import { declaredConnectionProblems } from "./connectionProblems";

/** What lies on a node. */
export interface NodeImages {
  /** As its connection names it. */
  node: string;
  images: HeldImage[];
}

/**
 * Asks one node over CRI for its images, read-only.
 *
 * @param options `timeout`: seconds, from the first dial on. `layout`: default "auto".
 * @returns what lies there; where the node, or something on it, prevents that, the problems
 */
export async function imagesOnNode(
  connection: NodeConnection,
  { timeout, layout }: { timeout: number; layout?: LayoutChoice },
  context: OperationContext,
): Promise<{ value: NodeImages; problems?: undefined } | { value?: undefined; problems: Problem[] }> {
  const declared = declaredConnectionProblems(connection);
  if (declared.length > 0) {
    return { problems: declared };
  }
  return visitBriefly(connection, timeout, context, async (node) => {
    const { socketPath } = await node.observe({ hostsDirs: [], ...(layout === undefined ? {} : { layout }) });
    const cri = node.cri(socketPath);
    try {
      return { node: connection.host, images: await imagesHeld(cri) };
    } finally {
      cri.close();
    }
  });
}
