import { archiveCodes } from "./archive";
import { argumentCodes } from "./arguments";
import { clusterFileCodes, rolloutCodes } from "./cluster";
import type { NameOf } from "./codeText";
import { containerdCodes } from "./containerd";
import { manifestCodes } from "./manifests";
import { mirrorCodes } from "./mirror";
import { nodeCodes, nodeResourceCodes } from "./node";
import { pushCodes } from "./pushSet";
import { registryCodes } from "./registry";

/**
 * Every mistake has one name. A code that is not here does not compile; docs/errors.md is made from it
 * (`npm run docs`), and tests/docs/errors.test.ts sees that each one is thrown.
 */
type Codes = typeof argumentCodes &
  typeof mirrorCodes &
  typeof clusterFileCodes &
  typeof rolloutCodes &
  typeof archiveCodes &
  typeof pushCodes &
  typeof manifestCodes &
  typeof registryCodes &
  typeof nodeResourceCodes &
  typeof containerdCodes &
  typeof nodeCodes;

/** The code of an error: stable, safe to branch on. docs/errors.md has them all. */
export type ErrorCode = NameOf<Codes>;

/**
 * The rooms of the house as docs/errors.md shows them, which is made by a script beside the tests.
 *
 * @internal
 */
export const rooms = {
  "Arguments of any resource": argumentCodes,
  RegistryMirror: mirrorCodes,
  "Cluster files": clusterFileCodes,
  "MirroredCluster and rollout": rolloutCodes,
  "Image packages": archiveCodes,
  ImagePushSet: pushCodes,
  "Images of manifests": manifestCodes,
  Registries: registryCodes,
  NodeContainerd: nodeResourceCodes,
  "containerd's configuration": containerdCodes,
  Nodes: nodeCodes,
} as const;

/** A text for a person with its code at the end: `... [NODE_OWNED]`. */
export function withCode(text: string, code: ErrorCode): string {
  return `${text} [${code}]`;
}
