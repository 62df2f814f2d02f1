import type { Problem } from "../../model/problem";
import type { NodeContainerdInputs } from "./state";

/** What the program made of an argument, or what it found wrong with it. */
export type Stated<T> = { value: T; problems?: undefined } | { value?: undefined; problems: Problem[] };

/** What a node is to do; in a preview each of them is known by itself, or not. */
export interface DeclaredTexts {
  /** JSON of Stated<DeclarationWithoutFiles>. */
  mirror: string;
  /** JSON: path on the node -> text. */
  files: string;
  /** JSON of Stated<false | NodeVerify>. */
  verify: string;
}

/**
 * NodeContainerd's arguments as the program sends them: the one shape that both sides of the wire share.
 *
 * Texts are made once for all nodes of a mirror, and cost the same however much stands in them. They have a
 * place of their own, so that check can tell them from what `ignoreChanges` puts beside them out of the state. It is one
 * property, because the state names the dependencies of each.
 */
export interface NodeWire extends Omit<NodeContainerdInputs, "mirror" | "files" | "verify" | "drift"> {
  declared: DeclaredTexts;
  /** JSON of LookWire; in a preview alone, and no input: check takes it out. */
  look?: string;
  /** Only after `ignoreChanges`: what the state has. */
  mirror?: NodeContainerdInputs["mirror"];
  /** The same. */
  files?: NodeContainerdInputs["files"];
  /** The same. */
  verify?: NodeContainerdInputs["verify"];
}
