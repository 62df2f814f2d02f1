import type { Descriptor } from "../../model/descriptor";
import type { Digest } from "../../model/digest";
import type { Reference } from "../../model/reference";
import { formatReference } from "../../model/reference";
import { ArchiveError, quoted } from "../archiveError";
import type { PackageImage } from "../imagePackage";
import type { Findings } from "./findings";
import { isDescriptors } from "./findings";
import { parseName, sourceName } from "./imageName";
import type { Kind } from "./kind";

/** A top-level image before it is known whether its name is unique. */
export interface Candidate {
  /** Its name; with a kind that is about another image, that image's. */
  reference: Reference | undefined;
  /** A bare tag, when there is no reference. */
  tag?: string | undefined;
  kind?: Kind;
  root: Descriptor;
  preserved: boolean | "unknown";
  reason?: string | undefined;
  /** The list that names it. */
  where: string;
}

/**
 * Gives each candidate its one name; drops what travels along with another image; names all that stay without.
 *
 * @throws ArchiveError `ARCHIVE_NAME_CONFLICT`, `ARCHIVE_UNNAMED`
 */
export async function giveNames(findings: Findings, candidates: readonly Candidate[]): Promise<PackageImage[]> {
  const names = new Names();
  const about = candidates.filter(({ kind }) => kind?.is === "attached" || kind?.is === "referrer");
  const own = candidates.filter((candidate) => !about.includes(candidate));
  const nameless: Candidate[] = [];
  for (const candidate of own) {
    if (candidate.reference === undefined) {
      nameless.push(candidate);
    } else {
      names.add(candidate, candidate.reference);
    }
  }
  const unnamed: Candidate[] = [];
  const within = await digestsWithin(
    findings,
    names.images.map((image) => image.root.digest),
  );
  for (const candidate of nameless) {
    const subject =
      (await findings.manifest(candidate.root.digest))?.json.subject?.digest ?? subjectOfTag(candidate.tag);
    const owner =
      subject === undefined
        ? undefined
        : names.images.find((image) => within.get(image.root.digest)?.has(subject) === true);
    if (candidate.tag !== undefined && owner !== undefined) {
      // cosign's tags: sha256-HEX.sig lies in the repository of what it signs.
      const { host, repository } = parseName(owner.source, candidate.where);
      names.add(candidate, { host, repository, tag: candidate.tag });
    } else if (subject === undefined && ![...within.values()].some((digests) => digests.has(candidate.root.digest))) {
      unnamed.push(candidate);
    }
  }
  for (const candidate of about) {
    const image = imageOf(candidate, own);
    const reference = image?.reference;
    const subject = (await findings.manifest(candidate.root.digest))?.json.subject?.digest;
    if (image === undefined) {
      unnamed.push(candidate);
    } else if (reference !== undefined && candidate.kind?.is === "attached") {
      const { host, repository } = reference;
      names.add(candidate, {
        host,
        repository,
        tag: `${image.root.digest.replace(":", "-")}.${candidate.kind.ending}`,
      });
    } else if (
      reference !== undefined &&
      ![...within.values()].some((digests) => subject !== undefined && digests.has(subject))
    ) {
      // One with a subject in the package travels along with it, as any referrer.
      const { host, repository } = reference;
      names.add(candidate, { host, repository, digest: candidate.root.digest });
    }
  }
  names.check();
  if (unnamed.length > 0) {
    throw unnamedError(unnamed);
  }
  return names.images;
}

/** Names and what they mean; one for two images is an error when all are known. */
class Names {
  private readonly byName = new Map<string, PackageImage>();
  private readonly conflicts: string[] = [];

  get images(): PackageImage[] {
    return [...this.byName.values()];
  }

  add(candidate: Candidate, reference: Reference): void {
    const source = sourceName(reference, candidate.root.digest, candidate.where);
    const { mediaType, digest, size } = candidate.root;
    const other = this.byName.get(source);
    if (other === undefined) {
      const { preserved, reason } = candidate;
      this.byName.set(source, {
        source,
        root: { mediaType, digest, size },
        preserved,
        ...(reason === undefined ? {} : { reason }),
      });
    } else if (other.root.digest !== digest) {
      this.conflicts.push(`${source}: ${other.root.digest} and ${digest} (${candidate.where})`);
    }
  }

  check(): void {
    if (this.conflicts.length > 0) {
      const names = this.conflicts.length === 1 ? "a name" : `${this.conflicts.length} names`;
      throw new ArchiveError(
        "ARCHIVE_NAME_CONFLICT",
        `The package has ${names} for two different images: ${this.conflicts[0]}. Keep one of them.`,
        {
          reasons: this.conflicts,
        },
      );
    }
  }
}

/**
 * The image that a signature or the like is about: of the same list and name, or the only one where there are no names.
 */
function imageOf({ reference, where }: Candidate, own: readonly Candidate[]): Candidate | undefined {
  const listed = own.filter((candidate) => candidate.where === where && candidate.kind !== undefined);
  if (reference === undefined) {
    return listed.length === 1 ? listed[0] : undefined;
  }
  const name = formatReference(reference);
  return listed.find((candidate) => candidate.reference !== undefined && formatReference(candidate.reference) === name);
}

function subjectOfTag(tag: string | undefined): Digest | undefined {
  const match = /^(sha256|sha512)-([0-9a-f]{64,128})(?:\.[a-z]+)?$/.exec(tag ?? "");
  return match === null ? undefined : `${match[1]}:${match[2]}`;
}

async function digestsWithin(findings: Findings, roots: Digest[]): Promise<Map<Digest, Set<Digest>>> {
  const found = new Map<Digest, Set<Digest>>();
  const visit = async (digest: Digest, into: Set<Digest>): Promise<void> => {
    if (into.has(digest) || into.size > 10_000) {
      return;
    }
    into.add(digest);
    const children = (await findings.manifest(digest))?.json.manifests;
    for (const child of isDescriptors(children) ? children : []) {
      await visit(child.digest, into);
    }
  };
  for (const root of roots) {
    const into = new Set<Digest>();
    await visit(root, into);
    found.set(root, into);
  }
  return found;
}

function unnamedError(unnamed: Candidate[]): ArchiveError {
  const list = unnamed.map(({ where, root, tag, kind }) => {
    const what =
      kind?.is === "attached" || kind?.is === "referrer"
        ? " (a signature or the like, whose image is not in this list)"
        : tag === undefined
          ? ""
          : ` (only a tag: ${quoted(tag)})`;
    return `${where}: ${root.digest}${what}`;
  });
  return new ArchiveError(
    "ARCHIVE_UNNAMED",
    `${unnamed.length === 1 ? "An image" : `${unnamed.length} images`} in the package ${unnamed.length === 1 ? "has" : "have"} no public name, so it is unknown where to push: ${list[0]}. ` +
      "Save with the whole name (docker save gcr.io/a/b:1; skopeo copy ... oci-archive:FILE:gcr.io/a/b:1), set the annotation org.opencontainers.image.ref.name to it, or put a layout that has only tags into a folder named as its repository (gcr.io/a/b), and one of cosign save, which has no names, into a folder with the whole name (gcr.io/a/b:1).",
    { reasons: list },
  );
}
