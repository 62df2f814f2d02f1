import { shortDigest } from "../../model/digest";
import { MirrorError } from "../../model/errors";
import { isUnknown, unknownValue } from "../../pulumi/plainValue";
import { reviewedFiles } from "./review";
import type { NodeMirror } from "./state";

/** What a mirror declares for all its nodes. */
export interface Declaration {
  mirror: NodeMirror;
  /** Path on the node -> text. */
  files: Record<string, string>;
}

/** The same as the state of a node keeps it. */
export interface CheckedDeclaration {
  /** Digest of mirror and files; unknown while either is. */
  mirror: string;
  /** As reviewedFiles() gives them. */
  files: Record<string, string>;
}

/**
 * The declarations of this run, by what came over the wire and by digest.
 *
 * The state of a thousand nodes would hold the same certificate a thousand times, and Pulumi writes the whole state
 * anew at every step: so check gives the state what a person reads, and a digest. Create and update find the rest here,
 * because what they are given this very process has checked before: a deployment has one provider process, and Pulumi
 * checks a resource in the run in which it changes it.
 */
const byWire = new Map<string, CheckedDeclaration>();
const byDigest = new Map<string, Declaration>();

/**
 * From the wire's texts (JSON) to what the state keeps. What `ignoreChanges` brings back from the state goes through as
 * it is.
 *
 * @throws MirrorError `IGNORE_CHANGES` when only one of the two was ignored
 */
export function checkDeclaration(mirror: string, files: string | Record<string, string>): CheckedDeclaration {
  if (typeof files !== "string" || (!isUnknown(mirror) && !mirror.startsWith("{"))) {
    if (typeof files === "string" || isUnknown(mirror) || mirror.startsWith("{")) {
      throw new MirrorError(
        "IGNORE_CHANGES",
        "ignoreChanges names only one of mirror and files, which say the same in two ways; name both, or neither.",
      );
    }
    return { mirror, files };
  }
  if (isUnknown(files)) {
    return { mirror: unknownValue, files: files as unknown as Record<string, string> };
  }
  if (isUnknown(mirror)) {
    return { mirror, files: reviewedFiles(JSON.parse(files) as Record<string, string>) };
  }
  const wire = `${mirror}\n${files}`;
  let checked = byWire.get(wire);
  if (checked === undefined) {
    const declaration: Declaration = {
      mirror: JSON.parse(mirror) as NodeMirror,
      files: JSON.parse(files) as Record<string, string>,
    };
    checked = { mirror: shortDigest(wire), files: reviewedFiles(declaration.files) };
    byWire.set(wire, checked);
    byDigest.set(checked.mirror, declaration);
  }
  return checked;
}

/** What the program found wrong with the mirror that it was given, in place of the declaration. */
export function declarationProblems(mirror: unknown): string[] {
  return typeof mirror === "string" && mirror.startsWith('{"problems":')
    ? (JSON.parse(mirror) as { problems: string[] }).problems
    : [];
}

/** @throws MirrorError `DECLARATION_UNKNOWN` for one that no check of this run has seen */
export function declarationOf(digest: string): Declaration {
  const found = byDigest.get(digest);
  if (found === undefined) {
    throw new MirrorError(
      "DECLARATION_UNKNOWN",
      "ignoreChanges names mirror and files, so what stands in them is not known now; take them out of it, or set hold: true to leave the node as it is.",
    );
  }
  return found;
}
