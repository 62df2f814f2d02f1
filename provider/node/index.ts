/** The node room: reaching a node over SSH, reading it, changing it as a transaction, and its containerd's CRI. */
export type { NodeConnection } from "./connection";
export { CriClient } from "./cri/criClient";
export { namesEndpoint, type PullCause, type PullFailure, pullFailure } from "./cri/pullFailure";
export { closeIdleNodes, connectNode, Node } from "./node";
export { isNodeError, NodeError, type NodeErrorCode } from "./nodeError";
export type { NodeObservation } from "./observation/observation";
export { type Holder, holderOf, isToken, type NodeOwner, requireOwnership } from "./ownership";
export { type ApplyResult, applyToNode, restoreNode } from "./transaction/apply";
export { foreseeChange } from "./transaction/foresee";
export type { TransactionStep } from "./transaction/transaction";
