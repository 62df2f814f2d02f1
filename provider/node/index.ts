/** The node room: reaching a node over SSH, reading it, changing it as a transaction, and its containerd's CRI. */
export type { NodeConnection } from "./connection";
export { type CriAuth, CriClient } from "./cri/criClient";
export type { CriImage, CriStatus, CriVersion } from "./cri/criService";
export { type PullCause, type PullFailure, pullFailure } from "./cri/pullFailure";
export { GrpcError, grpcStatus } from "./cri/unaryClient";
export { closeIdleNodes, connectNode, Node } from "./node";
export { isNodeError, NodeError, type NodeErrorCode } from "./nodeError";
export type { FileStat, NodeObservation } from "./observation";
export { type Holder, holderOf, isToken, newToken, type NodeOwner } from "./ownership";
export type { NodeRecord, OwnedFile } from "./record";
export {
  type ApplyOptions,
  type ApplyResult,
  applyToNode,
  restoreNode,
  type RestoreOptions,
  type RestoreResult,
} from "./transaction/apply";
export type { StepListener, TransactionStep } from "./transaction/transaction";
