import type { LayoutChoice } from "../../containerd/layout/layouts";
import type { OperationContext } from "../../model/context";
import type { Problem } from "../../model/problem";
import type { NodeConnection } from "../../node";
import type { RegistryEndpoint } from "../../registry/endpoint";
import { repositoryBelow } from "../../registry/endpoint";
import { mapConcurrently } from "../../registry/push/mapConcurrently";
import type { HeldManifests } from "../../registry/sets/heldManifests";
import { referenceOf } from "../../verify/coverage/heldImages";
import type { NodeImages } from "../node/imagesOn";
import { imagesOnNode } from "../node/imagesOn";

/** What lies on all of the nodes, or why one of them does not say. */
export type NodesSeen = { nodes: NodeImages[]; problem?: undefined } | { problem: Problem; nodes?: undefined };

/** Nodes that are asked side by side. */
const atOnce = 16;

/** Asks nodes for their images. The first one that does not say ends it: nothing is pruned then, whatever the others have. */
export async function askNodes(
  connections: readonly NodeConnection[],
  options: { timeout: number; layout?: LayoutChoice },
  context: OperationContext,
): Promise<NodesSeen> {
  const nodes: NodeImages[] = [];
  let problem: Problem | undefined;
  const others = new AbortController();
  const quiet = { ...context, signal: AbortSignal.any([context.signal, others.signal]) };
  await mapConcurrently(
    connections,
    async (connection) => {
      if (problem !== undefined) {
        return;
      }
      try {
        const { value, problems } = await imagesOnNode(connection, options, quiet);
        if (value === undefined) {
          problem ??= problems[0] as Problem;
          others.abort();
        } else {
          nodes.push(value);
          context.log.progress(`asked ${nodes.length} of ${connections.length} nodes what they run`);
        }
      } catch (error) {
        context.signal.throwIfAborted();
        if (problem === undefined) {
          throw error;
        }
      }
    },
    atOnce,
  );
  return problem === undefined ? { nodes } : { problem };
}

/**
 * The same as places in a registry. A name may be the public one, whose host a mirror drops, or the mirror's own.
 *
 * @param running Only what a container was made from, or every pod needs.
 */
export function heldManifests(
  nodes: readonly NodeImages[],
  endpoint: RegistryEndpoint,
  running: boolean | undefined,
): HeldManifests {
  const digests = new Map<string, string[]>();
  const names = new Map<string, string[]>();
  const repositories = new Map<string, string[]>();
  for (const { node, images } of nodes) {
    for (const { image, digest, also = [], runs, pinned } of images) {
      if (running === true && runs !== true && pinned !== true) {
        continue;
      }
      const own = digest === undefined ? [] : [digest, ...also];
      own.forEach((one) => add(digests, one, node));
      const reference = referenceOf(image);
      if (reference === undefined) {
        continue;
      }
      const { host, repository, tag } = reference;
      const place = host === endpoint.authority ? repository : repositoryBelow(endpoint, repository);
      own.forEach((one) => add(repositories, place, one));
      if (tag !== undefined) {
        add(names, `${place}:${tag}`, node);
      }
    }
  }
  return { digests, names, repositories };
}

function add(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key);
  if (list === undefined) {
    lists.set(key, [value]);
  } else if (!list.includes(value)) {
    list.push(value);
  }
}
