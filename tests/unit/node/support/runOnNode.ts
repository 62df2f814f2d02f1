import type { OperationContext } from "../../../../provider/model/context";
import { connectNode, type NodeConnection } from "../../../../provider/node";
import { decodeValue, encodeValue } from "../../../../provider/node/session/session";

/** Our program's loop has no command that runs whatever it is given; this one is the tests' own. */
const withRun = (program: string): string =>
  program.replace(
    /^ {2}case \$\{1:-\} in$/m,
    () =>
      `  if [ "\${1:-}" = run ]; then dec "$2"; emit "data out =$(sh -c "$dec" 2>&1 9>&- </dev/null | base64 -w0)"; emit ok; return; fi\n  case \${1:-} in`,
  );

/** Runs a short sh script by the way in that the provider takes; gives what it printed. */
export async function runOnNode(
  connection: NodeConnection,
  context: OperationContext,
  script: string,
): Promise<string> {
  const node = await connectNode(connection, context, { script: withRun });
  try {
    const session = await node.session();
    try {
      const reply = await session.request(`run ${encodeValue(script)}`);
      return decodeValue((reply.data[0] ?? "").replace(/^out /, ""));
    } finally {
      await session.close();
    }
  } finally {
    node.close();
  }
}
