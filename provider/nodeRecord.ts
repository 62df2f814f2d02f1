import { stableText } from "./dynamic/plainValue";
import type { NodeContainerdOutputs } from "./nodeState";
import { recallVerification, storeVerification } from "./verify/storedVerification";

/** What the provider alone reads again. */
type Recorded = Pick<NodeContainerdOutputs, "mirror" | "filesDigest" | "hosts" | "auth" | "hostsDir" | "certificates" | "verify">;

/**
 * A node's outputs as they lie in the state. An object is handed on value by value at every preview, through the engine, the provider and
 * the program, and with a thousand nodes that is a large part of what a run takes; so what has many parts is one text.
 */
export interface StoredNode extends Omit<NodeContainerdOutputs, keyof Recorded | "verification"> {
  /** JSON of Recorded. */
  record: string;
  /** As storeVerification() gives it. A program reads it as `verification`. */
  verified?: string;
}

export function storeNode(outs: NodeContainerdOutputs): StoredNode {
  const { mirror, filesDigest, hosts, auth, hostsDir, certificates, verify, verification, ...rest } = outs;
  const recorded: Recorded = { mirror, filesDigest, hosts, auth, hostsDir, verify, ...(certificates === undefined ? {} : { certificates }) };
  return { ...rest, record: stableText(recorded), ...(verification === undefined ? {} : { verified: storeVerification(verification) }) };
}

export function recallNode({ record, verified, ...rest }: StoredNode): NodeContainerdOutputs {
  return { ...rest, ...(JSON.parse(record) as Recorded), ...(verified === undefined ? {} : { verification: recallVerification(verified) }) };
}
