export type { ConfigStyle, Credentials, DesiredHost, DesiredMirror, HostAccess } from "../provider/containerd/desired";
export type { LayoutPaths } from "../provider/containerd/layout/custom";
export type { LayoutChoice, LayoutKind } from "../provider/containerd/layout/layouts";
export type { ManifestImage } from "../provider/manifests/imageNames";
export type { ManifestPlace } from "../provider/manifests/manifest";
export type { ManifestCode, ManifestProblem } from "../provider/manifests/manifestError";
export type { ErrorCode } from "../provider/model/codes";
export { MirrorError } from "../provider/model/errors";
export type { Problem } from "../provider/model/problem";
export type { PullCause } from "../provider/node";
export type { PushedRegistry } from "../provider/registry/push/pushedRegistry";
export type { EndpointSeen, Probe, PushedImage } from "../provider/registry/push/pushResult";
export type { FormerImage } from "../provider/registry/sets/formerImages";
export type {
  ClusterConfig,
  ClusterConfigMirror,
  ClusterConfigObject,
  ClusterConfigPrivateRegistry,
  ClusterResource,
  ClusterSpec,
  NodePoolResource,
  NodePoolSpec,
  ResourceMetadata,
} from "../provider/resources/cluster/clusterConfig";
export type { BmctlCluster, OverriddenField, ReadClusterOptions } from "../provider/resources/cluster/clusterFile";
export { readClusterFile } from "../provider/resources/cluster/clusterFile";
export type { ClusterFileCode, ClusterFilePlace, ClusterFileProblem } from "../provider/resources/cluster/errors";
export { ClusterFileError } from "../provider/resources/cluster/errors";
export type { BmctlMirror } from "../provider/resources/cluster/mirrors";
export type { BmctlNode, NodeRole } from "../provider/resources/cluster/nodes";
export type { BmctlPrivateRegistry } from "../provider/resources/cluster/privateRegistries";
export type { RolloutArgs, RolloutPlan, Wave } from "../provider/resources/cluster/rollout";
export { planRollout, RolloutError } from "../provider/resources/cluster/rollout";
export type { InspectedContainerd, InspectedHost, NodeInspection } from "../provider/resources/node/inspect";
export type { LookedFile, NodeLook, RecordedOwner } from "../provider/resources/node/look";
export type { DeclaredImagePaths } from "../provider/resources/pushSet/manifestSources";
export { ManifestError } from "../provider/resources/pushSet/manifestSources";
export type { ClusterVerification } from "../provider/verify/clusterVerification";
export type { ClusterCoverage, ClusterGap } from "../provider/verify/coverage/clusterCoverage";
export type { CoverageStatus, ImageCoverage, NodeCoverage } from "../provider/verify/coverage/coverage";
export type {
  HostVerification,
  ImageVerification,
  NodeVerification,
  Verdict,
} from "../provider/verify/nodeVerification";
export type { ReportPageOptions } from "../provider/verify/page/renderReportPage";
export { renderReportPage } from "../provider/verify/page/renderReportPage";
export type { FailedPrepull, PrepulledHost, PrepulledImages } from "../provider/verify/prepull/prepulledImages";
export type { ReportedPushSet } from "../provider/verify/pushed/reportedPushSet";
export type { ReportOptions } from "../provider/verify/report";
export { renderReport } from "../provider/verify/report";
export type { ImageSelection } from "../provider/verify/selection";
export type { Verifications } from "../provider/verify/verifications";
export type {
  ListedNode,
  MirroredClusterArgs,
  NamedNode,
  NodeAtAddress,
  NodeOverrides,
} from "./cluster/mirroredCluster";
export { MirroredCluster } from "./cluster/mirroredCluster";
export { inspectNode } from "./inspect/inspectNode";
export type { MirrorArgs, PrivateRegistryArgs, RegistryMirrorArgs } from "./mirror/registryMirror";
export { RegistryMirror } from "./mirror/registryMirror";
export type { ConnectionArgs, ConnectionOverrides } from "./node/connection";
export type { LookArgs } from "./node/look";
export type { ContainerdState, MirrorSource, NodeContainerdArgs, PrepullArgs, VerifyArgs } from "./node/nodeContainerd";
export { NodeContainerd } from "./node/nodeContainerd";
export type { ImagePushSetArgs, PushPreviewArgs, RequireSignedArgs, SignatureArgs } from "./pushSet/imagePushSet";
export { ImagePushSet } from "./pushSet/imagePushSet";
export type { ImagesInOptions, ManifestSourceArgs, ManifestText } from "./pushSet/imagesIn";
export { imagePlacesIn, imagesIn } from "./pushSet/imagesIn";
export type { ImagesOnArgs } from "./pushSet/imagesOn";
export { imagesOn } from "./pushSet/imagesOn";
export type { ImageListArgs, ImageSourceArgs, SourceArgs, SourceRegistryArgs } from "./pushSet/imageSource";
export type { PruneArgs } from "./pushSet/pruneArgs";
export type { RegistriesInput, RegistryArgs } from "./pushSet/registryArgs";
export type { NamedPushSetArgs, ReportArgs } from "./report/pushSets";
export type { ReportPageArgs } from "./report/reportPage";
export { reportPage } from "./report/reportPage";
export { verificationReport } from "./report/verificationReport";
