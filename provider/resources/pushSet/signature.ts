import { ArchiveError } from "../../archive/archiveError";
import type { RequiredSignature } from "../../archive/signature";
import { readPublicKey } from "../../archive/signature";
import { localPath } from "../../model/localPath";
import type { Resolved } from "../arguments/resolved";
import { attemptWith } from "../arguments/resolved";
import { shapes } from "./shapes";
import type { GivenKey } from "./signerKeys";
import { keyArgument, keyText } from "./signerKeys";
import type { ImageSource } from "./sources";

/** `signature`, as a program gives it. */
export interface GivenSignature extends GivenKey {
  path?: string;
}

/** The key as PEM text, wherever it comes from; undefined where no signature is asked for. */
export function resolveSignature(given: GivenSignature | undefined): Resolved<RequiredSignature | undefined> {
  if (given === undefined) {
    return { problems: [] };
  }
  return attemptWith(given, shapes.signature, "signature", () => {
    const { path } = given;
    const key = readPublicKey(keyText(given, "signature"), keyArgument(given, "signature"));
    const text = key.export({ type: "spki", format: "pem" }).toString();
    return path === undefined ? { publicKey: text } : { path, publicKey: text };
  });
}

/** @throws ArchiveError `SIGNATURE_UNFIT` where no package can have it */
export function checkSigned(sources: readonly ImageSource[], signature: RequiredSignature | undefined): void {
  const packages = sources.filter((one) => typeof one === "string");
  if (signature !== undefined && packages.length === 0) {
    const text = "signature: source names no package, and images by name have none of this kind; leave it out.";
    throw new ArchiveError("SIGNATURE_UNFIT", text);
  }
  if (signature?.path !== undefined && packages.length > 1) {
    const text = `signature.path: one file cannot be the signature of ${packages.length} packages; leave path out, and put each one's beside it as PACKAGE.1.sig.`;
    throw new ArchiveError("SIGNATURE_UNFIT", text);
  }
}

/** As the package's reader takes it: with the path that a person means. */
export function signatureOption(signature: RequiredSignature | undefined): { signature?: RequiredSignature } {
  const { path, publicKey = "" } = signature ?? {};
  return signature === undefined
    ? {}
    : { signature: path === undefined ? { publicKey } : { path: localPath(path), publicKey } };
}
