import type { Descriptor } from "../../model/descriptor";
import { messageOf } from "../../model/errors";
import type { Reference } from "../../model/reference";
import { formatReference, isHost, isRepository, isTag, parseReference } from "../../model/reference";
import { ArchiveError, quoted } from "../archiveError";

/** containerd's and Docker's annotation: always a whole name. */
export const wholeName = "io.containerd.image.name";
/** image-spec v1.1, annotations.md: a tag (umoci, buildx, Docker) or a whole name (skopeo, podman, crane). */
const refName = "org.opencontainers.image.ref.name";
/**
 * Where Zarf puts the name of the image itself. Everybody else means by it what an image is based on, so it is a name
 * in Zarf's packages only.
 */
const zarfName = "org.opencontainers.image.base.name";

/** What a descriptor of an index.json is called. */
export type FoundName =
  | { kind: "whole"; reference: Reference }
  /** Only a tag; the repository has to come from elsewhere. */
  | { kind: "tag"; tag: string }
  | { kind: "none" };

/**
 * @param zarf it stands in the index.json of a package of Zarf
 * @throws ArchiveError `ARCHIVE_UNNAMED` when there is a name but it is not one of an image
 */
export function nameOf(descriptor: Descriptor, where: string, zarf = false): FoundName {
  const whole = descriptor.annotations?.[wholeName];
  if (whole !== undefined && whole !== "") {
    return { kind: "whole", reference: parseName(whole, `${where}: annotation ${wholeName} of ${descriptor.digest}`) };
  }
  const ref = descriptor.annotations?.[refName];
  if (ref === undefined || ref === "") {
    const base = zarf ? descriptor.annotations?.[zarfName] : undefined;
    return base === undefined
      ? { kind: "none" }
      : { kind: "whole", reference: parseName(base, `${where}: annotation ${zarfName} of ${descriptor.digest}`) };
  }
  // umoci allows "@" and "/" in what it calls tags; a tag of a registry has neither of them, nor a colon.
  if (isTag(ref)) {
    return { kind: "tag", tag: ref };
  }
  return { kind: "whole", reference: parseName(ref, `${where}: annotation ${refName} of ${descriptor.digest}`) };
}

/** @throws ArchiveError `ARCHIVE_UNNAMED` */
export function parseName(name: string, where: string): Reference {
  try {
    return parseReference(name);
  } catch (error) {
    throw new ArchiveError("ARCHIVE_UNNAMED", `${where}: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * The repository that a folder or archive is named after: `images/gcr.io/a/b` -> gcr.io/a/b, so that a layout whose
 * images have only tags (umoci's, for one) can be used as it is when it lies at its repository's path.
 */
export function repositoryOfPath(path: string): { host: string; repository: string } | undefined {
  const parts = path.split("/");
  for (const [at, host] of parts.entries()) {
    const repository = parts.slice(at + 1).join("/");
    // A dot alone is not enough at the end: "bundle-1.30" has one too.
    if ((/[.:]/.test(host) || host === "localhost") && isHost(host) && repository !== "" && isRepository(repository)) {
      return { host, repository };
    }
  }
  return undefined;
}

/**
 * The whole name that a folder or archive has: `images/gcr.io/a/b:1`, for a layout of one image that `cosign save`
 * gives no name.
 */
export function referenceOfPath(path: string): Reference | undefined {
  const [, folder = "", tag = "", digest = ""] = /^(.*?)(?::([^/:@]+)|@(sha256:[0-9a-f]{64}))$/.exec(path) ?? [];
  const repository = repositoryOfPath(folder);
  if (repository === undefined) {
    return undefined;
  }
  return digest !== "" ? { ...repository, digest } : isTag(tag) ? { ...repository, tag } : undefined;
}

/**
 * The name as the index lists it. A name with tag and digest keeps the tag only, once the digest is seen to be right.
 *
 * @throws ArchiveError `ARCHIVE_NAME_CONFLICT`
 */
export function sourceName(reference: Reference, digest: string, where: string): string {
  if (reference.digest !== undefined && reference.digest !== digest) {
    throw new ArchiveError(
      "ARCHIVE_NAME_CONFLICT",
      `${where}: the image named ${quoted(formatReference(reference))} is ${digest} in this package. Save it again by tag, or with a tool that keeps digests (skopeo copy --all --preserve-digests ... oci-archive:FILE:NAME).`,
    );
  }
  const { host, repository, tag } = reference;
  return formatReference(tag === undefined ? reference : { host, repository, tag });
}
