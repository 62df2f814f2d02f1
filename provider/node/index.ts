/** The node room: reaching a node over SSH, reading it, changing it as a transaction, and its containerd's CRI. */
export type { NodeConnection } from "./connection";
export { Node, closeIdleNodes, connectNode } from "./node";
export { NodeError, isNodeError, type NodeErrorCode } from "./nodeError";
export type { FileStat, NodeObservation } from "./observation";
export { holderOf, isToken, newToken, type Holder, type NodeOwner } from "./ownership";
export type { NodeRecord, OwnedFile } from "./record";
export { applyToNode, restoreNode, type ApplyOptions, type ApplyResult, type RestoreOptions, type RestoreResult } from "./transaction/apply";
export type { StepListener, TransactionStep } from "./transaction/transaction";
export { CriClient, type CriAuth } from "./cri/criClient";
export type { CriImage, CriStatus, CriVersion } from "./cri/criService";
export { pullFailure, type PullCause, type PullFailure } from "./cri/pullFailure";
export { GrpcError, grpcStatus } from "./cri/unaryClient";
