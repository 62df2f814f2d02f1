import { largestSignature, signatureLayers, simpleSigningType } from "../../model/signatureLayer";
import type { PackageIndex } from "../imagePackage";
import type { Findings } from "./findings";

/** Whether a small JSON file of a stream may be a signature's content, which is kept: it comes by once. */
export function mayBeSignature(bytes: Buffer): boolean {
  return (
    bytes.length <= largestSignature && (bytes.includes(simpleSigningType) || bytes.includes("vnd.dev.sigstore.bundle"))
  );
}

/** Enters the content of the images' signatures: who asks whether an image is signed need not read the package again. */
export async function addSignatures(findings: Findings, index: PackageIndex): Promise<void> {
  const signatures: NonNullable<PackageIndex["signatures"]> = new Map();
  for (const { bytes } of index.manifests.values()) {
    for (const { digest } of signatureLayers(bytes)) {
      const content = await findings.signature(digest);
      if (content !== undefined) {
        signatures.set(digest, content);
      }
    }
  }
  index.signatures = signatures;
}
