import { shortDigest } from "../../model/digest";
import { MirrorError } from "../../model/errors";
import type { Problem } from "../../model/problem";
import { isUnknown, stableText, unknownValue } from "../../pulumi/plainValue";
import { reviewedFiles } from "./review";
import type { Declaration, DeclarationWithoutFiles, NodeContainerdInputs } from "./state";
import type { NodeWire, Stated } from "./wire";

/** What the state gets of it. */
type Checked = Pick<NodeContainerdInputs, "mirror" | "files">;

/**
 * The declarations of this run, by what came over the wire and by digest.
 *
 * The state of a thousand nodes would hold the same certificate a thousand times, and Pulumi writes the whole state
 * anew at every step: so check gives the state what a person reads, and a digest. Create and update find the rest here,
 * because what they are given this very process has checked before: a deployment has one provider process, and Pulumi
 * checks a resource in the run in which it changes it.
 */
export class Declarations {
  private readonly byWire = new Map<string, Checked>();
  private readonly byDigest = new Map<string, Declaration>();
  private readonly mirrors = new Map<string, Stated<DeclarationWithoutFiles>>();

  /** What the program found wrong with the mirror that it was given, in place of the declaration. */
  problems({ declared }: Pick<NodeWire, "declared">): Problem[] {
    return isUnknown(declared.mirror) ? [] : (this.mirror(declared.mirror).problems ?? []);
  }

  /**
   * From the wire's texts to what the state keeps. What `ignoreChanges` brings back from the state goes through as it
   * is.
   *
   * @throws MirrorError `IGNORE_CHANGES` when only one of mirror and files was ignored
   */
  check({ declared, mirror, files }: NodeWire): Checked {
    if (mirror !== undefined && files !== undefined) {
      return { mirror, files };
    }
    if (mirror !== undefined || files !== undefined) {
      throw new MirrorError(
        "IGNORE_CHANGES",
        "ignoreChanges names only one of mirror and files, which say the same in two ways; name both, or neither.",
      );
    }
    if (isUnknown(declared.files)) {
      return { mirror: unknownValue, files: declared.files as unknown as Record<string, string> };
    }
    if (isUnknown(declared.mirror)) {
      return { mirror: unknownValue, files: reviewedFiles(JSON.parse(declared.files) as Record<string, string>) };
    }
    const wire = `${declared.mirror}\n${declared.files}`;
    let checked = this.byWire.get(wire);
    if (checked === undefined) {
      const withoutFiles = this.mirror(declared.mirror).value as DeclarationWithoutFiles;
      const texts = JSON.parse(declared.files) as Record<string, string>;
      const digest = shortDigest(`${stableText(withoutFiles)}\n${stableText(texts)}`);
      checked = { mirror: digest, files: reviewedFiles(texts) };
      this.byWire.set(wire, checked);
      this.byDigest.set(digest, { ...withoutFiles, files: texts });
    }
    return checked;
  }

  /** @throws MirrorError `DECLARATION_UNKNOWN` for one that no check of this run has seen */
  get(digest: string): Declaration {
    const found = this.byDigest.get(digest);
    if (found === undefined) {
      throw new MirrorError(
        "DECLARATION_UNKNOWN",
        "ignoreChanges names mirror and files, so what stands in them is not known now; take them out of it, or set hold: true to leave the node as it is.",
      );
    }
    return found;
  }

  private mirror(text: string): Stated<DeclarationWithoutFiles> {
    let stated = this.mirrors.get(text);
    if (stated === undefined) {
      stated = JSON.parse(text) as Stated<DeclarationWithoutFiles>;
      this.mirrors.set(text, stated);
    }
    return stated;
  }
}
