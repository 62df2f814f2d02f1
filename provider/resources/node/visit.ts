import type { OperationContext } from "../../model/context";
import { MirrorError } from "../../model/errors";
import { type Finding, findingText } from "../../model/finding";
import type { Node, NodeConnection, TransactionStep } from "../../node";
import { connectNode, isNodeError } from "../../node";

export function criTimeout(inputs: { criTimeout?: number }): { criTimeout: number } {
  return { criTimeout: inputs.criTimeout ?? 120 };
}

export async function withNode<T>(
  connection: NodeConnection,
  context: OperationContext,
  work: (node: Node) => Promise<T>,
): Promise<T> {
  const node = await connectNode(connection, context);
  try {
    return await work(node);
  } catch (error) {
    throw withNodeName(connection.host, error);
  } finally {
    node.close();
  }
}

/** What is wrong with a file does not say whose file it is; among fifty nodes that is what a person asks first. */
export function withNodeName(host: string, error: unknown): unknown {
  return error instanceof MirrorError && !isNodeError(error)
    ? new MirrorError(error.code, `Node ${host}: ${error.message}`, { cause: error, reasons: error.reasons })
    : error;
}

const stepTexts: Record<string, string> = {
  lock: "taking the node's lock",
  observe: "reading the node's configuration",
  stage: "writing the new files beside the old ones and letting containerd check them",
  swap: "putting the new files in place",
  restart: "restarting containerd",
  cri: "waiting for containerd to serve again",
  verify: "verifying",
  undo: "giving the node back what it had",
};

export function logSteps(context: OperationContext): (step: TransactionStep) => void {
  return (step) => {
    const text = stepTexts[step];
    if (text !== undefined) {
      context.log.progress(text);
    }
  };
}

export function logNotes(context: OperationContext, notes: readonly Finding[]): void {
  if (notes.length > 0) {
    context.log.info(notes.map(findingText).join("\n"));
  }
}
