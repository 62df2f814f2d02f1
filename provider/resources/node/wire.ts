import type { Problem } from "../../model/problem";
import type { NodeContainerdInputs } from "./state";

/** What the program made of an argument, or what it found wrong with it. */
export type Stated<T> = { value: T; problems?: undefined } | { value?: undefined; problems: Problem[] };

/**
 * NodeContainerd's arguments as the program sends them: the one shape that both sides of the wire share.
 *
 * Texts are made once for all nodes of a mirror, and cost the same however much stands in them. They have names of
 * their own, so that check can tell them from what `ignoreChanges` puts beside them out of the state.
 */
export interface NodeWire extends Omit<NodeContainerdInputs, "mirror" | "files" | "verify" | "drift"> {
  /** JSON of Stated<DeclarationWithoutFiles>. */
  declaredMirror: string;
  /** JSON: path on the node -> text. */
  declaredFiles: string;
  /** JSON of Stated<false | NodeVerify>. */
  declaredVerify: string;
  /** Only after `ignoreChanges`: what the state has. */
  mirror?: NodeContainerdInputs["mirror"];
  /** The same. */
  files?: NodeContainerdInputs["files"];
  /** The same. */
  verify?: NodeContainerdInputs["verify"];
}
