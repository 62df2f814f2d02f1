import type { OperationContext } from "../../model/context";
import { MirrorError } from "../../model/errors";
import type { Problem } from "../../model/problem";
import { problemsOf } from "../../model/problem";
import type { Node, NodeConnection } from "../../node";
import { closeIdleNodes, connectNode, NodeError } from "../../node";

/** An update waits for a node that is just starting; who only looks says at once how it is. */
const dials = 2;

/** Connections of this process that are under way. */
let underWay = 0;

/**
 * Looks at one node within a time, and closes the connection behind it.
 *
 * @param timeout Seconds, from the first dial on.
 * @returns what the work gives; where the node, or something on it, prevents that, the problems
 */
export async function visitBriefly<T>(
  given: NodeConnection,
  timeout: number,
  context: OperationContext,
  work: (node: Node) => Promise<T>,
): Promise<{ value: T; problems?: undefined } | { value?: undefined; problems: Problem[] }> {
  const connection = { ...given, dialErrorLimit: Math.min(given.dialErrorLimit ?? dials, dials) };
  const limit = AbortSignal.timeout(timeout * 1000);
  underWay++;
  try {
    const node = await connectNode(connection, { ...context, signal: AbortSignal.any([context.signal, limit]) });
    try {
      return { value: await work(node) };
    } finally {
      node.close();
    }
  } catch (error) {
    context.signal.throwIfAborted();
    return { problems: problemsIn(error, given.host, limit.aborted ? timeout : undefined) };
  } finally {
    underWay--;
    if (underWay === 0) {
      // Otherwise they would be kept for a next user, and the process with them.
      await closeIdleNodes();
    }
  }
}

/** @throws what is no error of ours: a defect */
function problemsIn(error: unknown, host: string, overdue: number | undefined): Problem[] {
  if (overdue !== undefined) {
    const text = `Node ${host}: looking at it took longer than ${overdue} s; give look a longer timeout, or look: false.`;
    return [{ code: "NODE_TIMEOUT", text }];
  }
  if (!(error instanceof MirrorError)) {
    throw error;
  }
  const problems = problemsOf(error);
  return error instanceof NodeError
    ? problems
    : problems.map(({ code, text }) => ({ code, text: `Node ${host}: ${text}` }));
}
