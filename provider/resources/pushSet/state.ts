import type { RequiredSignature } from "../../archive/signature";
import type { RegistryConnection } from "../../registry/connection";
import type { PushedRegistry } from "../../registry/push/pushedRegistry";
import type { Probe, PushedImage } from "../../registry/push/pushResult";
import type { FormerImage } from "../../registry/sets/formerImages";
import type { RecordPlace } from "../../registry/sets/pushSetRecord";
import type { RequiredSigner } from "../../registry/signed/requiredSigners";
import type { PruneWanted } from "./pruneWanted";
import type { Digests, ImageSource } from "./sources";

/** ImagePushSet's arguments as check leaves them: what Pulumi shows, and keeps as the resource's inputs. */
export interface PushSetInputs {
  /** Image packages and lists of images, pushed as one. */
  source: ImageSource | ImageSource[];
  /** What the names of the lists pointed at when the program looked them up; that is what is copied. */
  digests?: Digests;
  /** Of the package's content; what decides whether a push is needed. Absent until the program can read the package. */
  fingerprint?: string;
  /** What each package must be signed with; checked in the program, and again at a push, before anything is sent. */
  signature?: RequiredSignature;
  /** Who must have signed which images; checked in a preview as far as it can, and before anything is sent. */
  requireSigned?: RequiredSigner[];
  /**
   * For the reviewer: `NAME DIGEST` an image, when it is known without decoding; absent otherwise, and then known at
   * push.
   */
  contents?: string[];
  registry: RegistryConnection | RegistryConnection[];
  include?: string[];
  exclude?: string[];
  probeRepository: string | false;
  deleteImages?: boolean;
  /** What of earlier pushes stays. */
  prune?: PruneWanted;
  spoolDir?: string;
  maxDecodedBytes?: number;
  /** What a refresh looks at; default "manifests". */
  check?: "manifests" | "blobs";
  /**
   * Only ever in the state, put there by refresh: what the registry lost or has otherwise. That it is not declared
   * makes `up` repair it.
   */
  drift?: string[];
}

/** What the state keeps of one of them. */
export interface RegistryState extends PushedRegistry {
  /** Of the package that it has all chosen images of; absent when it has not. */
  fingerprint?: string;
  record?: RecordPlace;
  damaged?: string[];
}

/** A registry that was taken out of the list, and how to reach it. */
export interface DroppedRegistry {
  connection: RegistryConnection;
  before: RegistryState;
}

/** What the state keeps of a push set. */
export interface PushSetOutputs extends PushSetInputs {
  endpoint: string;
  images: PushedImage[];
  probe?: Probe;
  /**
   * Where the registry has the list of what this push set has; absent in a state of 0.1.0, and where the registry takes
   * none.
   */
  record?: RecordPlace;
  /** With `prune`: images of earlier pushes that lie there still, and are no longer declared. */
  former?: FormerImage[];
  /** With `drift`: images of which the registry lost something below an intact tag. */
  damaged?: string[];
  /** Where `registry` is a list: each one's own, in its order. `images` and `probe` are the first one's then. */
  registries?: RegistryState[];
  /** Registries that are declared no longer, and still have what is to be deleted there. Secret, for their passwords. */
  dropped?: DroppedRegistry[];
}
