import { stableText } from "../../pulumi/plainValue";
import type { NodeContainerdOutputs } from "./state";
import { recallVerification } from "./storedVerification";

/** What the provider alone reads again. */
type Recorded = Pick<
  NodeContainerdOutputs,
  "mirror" | "filesDigest" | "hosts" | "auth" | "hostsDir" | "certificates" | "verify" | "token"
>;

/**
 * A node's outputs as they lie in the state. An object is handed on value by value at every preview, through the
 * engine, the provider and the program, and with a thousand nodes that is a large part of what a run takes; so what
 * nobody but the provider reads is one text.
 */
export interface StoredNode extends Omit<NodeContainerdOutputs, keyof Recorded> {
  /** JSON of Recorded. */
  record: string;
  /** In a state of 0.1.0, in place of `verification`, until the next change: a text, as recallVerification() reads it. */
  verified?: string;
  /** Put there for every resource (MirrorResource); its value at the last change. */
  resourceUrn?: string;
}

export function storeNode(outs: NodeContainerdOutputs): StoredNode {
  const { mirror, filesDigest, hosts, auth, hostsDir, certificates, verify, token, ...rest } = outs;
  const recorded: Recorded = {
    ...{ mirror, filesDigest, hosts, auth, hostsDir, verify },
    ...(certificates === undefined ? {} : { certificates }),
    ...(token === undefined ? {} : { token }),
  };
  return { ...rest, record: stableText(recorded) };
}

export function recallNode({ record, verified, resourceUrn, ...rest }: StoredNode): NodeContainerdOutputs {
  return {
    ...rest,
    // 0.1.0 marked a node with the URN. It is kept as it was then, for what comes later may change nothing but the
    // name.
    ...(resourceUrn === undefined ? {} : { token: resourceUrn }),
    ...(JSON.parse(record) as Recorded),
    ...(verified === undefined ? {} : { verification: recallVerification(verified) }),
  };
}
