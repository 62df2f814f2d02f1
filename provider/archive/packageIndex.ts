import type { Descriptor } from "../oci/descriptor";
import type { Digest } from "../oci/digest";
import { isIndex, mediaTypes } from "../oci/mediaType";
import type { Reference } from "../oci/reference";
import { ArchiveError, quoted } from "./archiveError";
import { configOf, makeManifest } from "./dockerImages";
import { isDescriptors } from "./findings";
import type { Findings, ManifestJson } from "./findings";
import { ImageGraph } from "./imageGraph";
import type { PackageImage, PackageIndex } from "./imagePackage";
import { nameOf, parsed, repositoryOfPath, sourceName } from "./imageName";
import { below } from "./scope";
import type { DockerImage, Scope } from "./scope";

/** A top-level image before it is known whether its name is unique. */
interface Candidate {
  reference: Reference | undefined;
  /** A bare tag, when there is no reference. */
  tag?: string | undefined;
  root: Descriptor;
  preserved: boolean | "unknown";
  reason?: string | undefined;
  where: string;
}

type Layout = Scope["layouts"][number];

/**
 * Puts together what the scan found.
 *
 * @throws ArchiveError `ARCHIVE_EMPTY`, `ARCHIVE_UNNAMED`, `ARCHIVE_NAME_CONFLICT`, `ARCHIVE_INCOMPLETE`, `ARCHIVE_CORRUPT` ...
 */
export async function makeIndex(findings: Findings, source: string): Promise<PackageIndex> {
  const index: PackageIndex = {
    form: formOf(findings),
    images: [],
    manifests: new Map(),
    blobs: new Map(),
    referrers: new Map(),
    missing: new Map(),
  };
  const candidates: Candidate[] = [];
  for (const scope of findings.scopes) {
    checkDamage(scope);
    await addScope(findings, scope, candidates);
  }
  if (candidates.length === 0) {
    throw empty(findings, source);
  }
  const images = await named(findings, candidates);
  const graph = new ImageGraph(findings, index);
  const incomplete: string[] = [];
  for (const image of images) {
    const lacking = await graph.add(image.root);
    if (lacking.length > 0) {
      incomplete.push(`${image.source}: ${lacking.slice(0, 5).join(", ")}${lacking.length > 5 ? ` and ${lacking.length - 5} more` : ""}`);
    }
  }
  if (incomplete.length > 0) {
    throw new ArchiveError(
      "ARCHIVE_INCOMPLETE",
      `Package ${quoted(source)} lacks parts of ${incomplete.length} of its ${images.length} images. Save them again with all their layers (docker pull before docker save; skopeo copy --all).`,
      { reasons: incomplete },
    );
  }
  await graph.addReferrers();
  index.images = images;
  return index;
}

async function addScope(findings: Findings, scope: Scope, candidates: Candidate[]): Promise<void> {
  for (const layout of scope.layouts) {
    const docker = scope.dockers.find((other) => other.prefix === layout.prefix);
    await addLayout(findings, scope, layout, docker?.images ?? [], candidates);
  }
  for (const docker of scope.dockers) {
    const layout = scope.layouts.find((other) => other.prefix === docker.prefix);
    for (const image of docker.images) {
      await addDocker(findings, scope, docker, layout, image, candidates);
    }
  }
}

async function addLayout(findings: Findings, scope: Scope, layout: Layout, docker: DockerImage[], candidates: Candidate[], descriptors = layout.manifests, depth = 0): Promise<void> {
  for (const root of descriptors) {
    const name = nameOf(root, layout.label);
    const manifest = await findings.manifest(root.digest);
    if (name.kind === "none" && manifest !== undefined && isIndex(manifest.mediaType) && depth < 4) {
      const children = isDescriptors(manifest.json.manifests) ? manifest.json.manifests : [];
      if (children.some((child) => nameOf(child, layout.label).kind !== "none")) {
        await addLayout(findings, scope, layout, docker, candidates, children, depth + 1);
        continue;
      }
    }
    if (manifest !== undefined && docker.length > 0 && (await isLayerless(findings, manifest.json))) {
      // Docker 25.0 wrote such manifests beside a right manifest.json.
      continue;
    }
    const repository = name.kind === "tag" ? repositoryOfPath(below(scope.path, layout.prefix)) : undefined;
    candidates.push({
      reference: name.kind === "whole" ? name.reference : repository === undefined || name.kind !== "tag" ? undefined : { ...repository, tag: name.tag },
      tag: name.kind === "tag" ? name.tag : undefined,
      root: { ...root, mediaType: manifest?.mediaType ?? root.mediaType },
      where: layout.label,
      ...keptDigest(name.kind === "whole" ? name.reference : undefined, manifest?.json.layers, docker.length > 0),
    });
  }
}

async function isLayerless(findings: Findings, { layers, config }: ManifestJson): Promise<boolean> {
  return (layers?.length ?? 0) === 0 && config !== undefined && ((await findings.layersOf(config.digest))?.length ?? 0) > 0;
}

/** Whether the public registry has the digest that the layout states. */
function keptDigest(reference: Reference | undefined, layers: Descriptor[] | null | undefined, saved: boolean): Pick<Candidate, "preserved" | "reason"> {
  const plain = (layers ?? []).length > 0 && (layers ?? []).every((layer) => layer.mediaType === mediaTypes.ociLayer);
  if (reference?.digest !== undefined || !plain) {
    return { preserved: true };
  }
  return saved
    ? { preserved: false, reason: "docker save unpacked the layers and wrote a new manifest around them" }
    : { preserved: "unknown", reason: "the layers are not compressed, as hardly any registry has them: the tool that made the package may have unpacked them" };
}

async function addDocker(
  findings: Findings,
  scope: Scope,
  docker: Scope["dockers"][number],
  layout: Layout | undefined,
  image: DockerImage,
  candidates: Candidate[],
): Promise<void> {
  const tags = image.RepoTags ?? [];
  const config = configOf(scope, docker.prefix, image);
  const fromLayout = config === undefined || layout === undefined ? undefined : await rootWithConfig(findings, candidates, layout.label, config);
  if (fromLayout !== undefined) {
    // The same image, with its real manifest; the list may know more names for it.
    const names = tags.map((tag) => parsed(tag, docker.label));
    if (fromLayout.reference === undefined) {
      fromLayout.reference = names.shift();
    }
    candidates.push(...names.map((reference) => ({ ...fromLayout, reference })));
    return;
  }
  const made = await makeManifest(findings, scope, docker.prefix, docker.label, image);
  findings.addManifest(made.digest, made.bytes, docker.label);
  const root = { mediaType: made.mediaType, digest: made.digest, size: made.bytes.length };
  for (const reference of tags.length === 0 ? [undefined] : tags.map((tag) => parsed(tag, docker.label))) {
    candidates.push({ reference, root, where: docker.label, preserved: false, reason: "a docker-archive holds no registry manifest; it was made anew" });
  }
}

async function rootWithConfig(findings: Findings, candidates: Candidate[], label: string, config: Digest): Promise<Candidate | undefined> {
  const holds = async (digest: Digest, depth: number): Promise<boolean> => {
    const json = (await findings.manifest(digest))?.json;
    if (json?.config?.digest === config) {
      return true;
    }
    for (const child of depth < 4 && isDescriptors(json?.manifests) ? json.manifests : []) {
      if (await holds(child.digest, depth + 1)) {
        return true;
      }
    }
    return false;
  };
  for (const candidate of candidates) {
    if (candidate.where === label && (await holds(candidate.root.digest, 0))) {
      return candidate;
    }
  }
  return undefined;
}

/** Gives each candidate its one name; drops what travels along with another image; names all that stay without. */
async function named(findings: Findings, candidates: Candidate[]): Promise<PackageImage[]> {
  const images = new Map<string, PackageImage>();
  const nameless: Candidate[] = [];
  const conflicts: string[] = [];
  const enter = (candidate: Candidate, reference: Reference): void => {
    const source = sourceName(reference, candidate.root.digest, candidate.where);
    const { mediaType, digest, size } = candidate.root;
    const image: PackageImage = {
      source,
      root: { mediaType, digest, size },
      preserved: candidate.preserved,
      ...(candidate.reason === undefined ? {} : { reason: candidate.reason }),
    };
    const other = images.get(source);
    if (other === undefined) {
      images.set(source, image);
    } else if (other.root.digest !== digest) {
      conflicts.push(`${source}: ${other.root.digest} and ${digest} (${candidate.where})`);
    }
  };
  for (const candidate of candidates) {
    if (candidate.reference === undefined) {
      nameless.push(candidate);
    } else {
      enter(candidate, candidate.reference);
    }
  }
  const unnamed: Candidate[] = [];
  const within = await digestsWithin(findings, [...images.values()].map((image) => image.root.digest));
  for (const candidate of nameless) {
    const subject = (await findings.manifest(candidate.root.digest))?.json.subject?.digest ?? subjectOfTag(candidate.tag);
    const owner = subject === undefined ? undefined : [...images.values()].find((image) => within.get(image.root.digest)?.has(subject) === true);
    if (candidate.tag !== undefined && owner !== undefined) {
      // cosign's tags: sha256-HEX.sig lies in the repository of what it signs.
      const { host, repository } = parsed(owner.source, candidate.where);
      enter(candidate, { host, repository, tag: candidate.tag });
    } else if (subject === undefined && ![...within.values()].some((digests) => digests.has(candidate.root.digest))) {
      unnamed.push(candidate);
    }
  }
  if (conflicts.length > 0) {
    throw new ArchiveError("ARCHIVE_NAME_CONFLICT", `The package has ${conflicts.length === 1 ? "a name" : `${conflicts.length} names`} for two different images: ${conflicts[0]}. Keep one of them.`, {
      reasons: conflicts,
    });
  }
  if (unnamed.length > 0) {
    throw unnamedError(unnamed);
  }
  return [...images.values()];
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
  const list = unnamed.map((candidate) => `${candidate.where}: ${candidate.root.digest}${candidate.tag === undefined ? "" : ` (only a tag: ${quoted(candidate.tag)})`}`);
  return new ArchiveError(
    "ARCHIVE_UNNAMED",
    `${unnamed.length === 1 ? "An image" : `${unnamed.length} images`} in the package ${unnamed.length === 1 ? "has" : "have"} no public name, so it is unknown where to push: ${list[0]}. ` +
      "Save with the whole name (docker save gcr.io/a/b:1; skopeo copy ... oci-archive:FILE:gcr.io/a/b:1), set the annotation org.opencontainers.image.ref.name to it, or put a layout that has only tags into a folder named as its repository (gcr.io/a/b).",
    { reasons: list },
  );
}

function checkDamage(scope: Scope): void {
  for (const { prefix, label } of scope.damaged) {
    if (prefix === "" || scope.marks.has(prefix)) {
      throw new ArchiveError("ARCHIVE_CORRUPT", `${label} is not JSON. The package is damaged; fetch or make it again.`);
    }
  }
}

function formOf(findings: Findings): string {
  const layouts = findings.scopes.filter((scope) => scope.layouts.length > 0);
  const dockers = findings.scopes.filter((scope) => scope.dockers.length > 0 && scope.layouts.length === 0);
  const archives = layouts.length + dockers.length;
  const top = findings.scopes[0];
  if (archives === 1 && top !== undefined && (top.layouts.length > 0 || top.dockers.length > 0)) {
    return layouts.length > 0 ? (layouts[0]?.layouts.length === 1 ? "OCI layout" : `${layouts[0]?.layouts.length} OCI layouts`) : "docker-archive";
  }
  return `archive of ${archives} image archive${archives === 1 ? "" : "s"}`;
}

function empty(findings: Findings, source: string): ArchiveError {
  const nameless = findings.scopes.flatMap((scope) => scope.nameless);
  if (nameless.length > 0) {
    return new ArchiveError(
      "ARCHIVE_UNNAMED",
      `${nameless[0]} is an image as \`skopeo copy ... dir:\` writes it, which has no name. Copy to oci-archive:FILE:gcr.io/a/b:1 instead.`,
      { reasons: nameless },
    );
  }
  const old = findings.sample.some((name) => /(?:^|\/)repositories$/.test(name));
  return new ArchiveError(
    "ARCHIVE_EMPTY",
    `Package ${quoted(source)} holds no images: no index.json of an OCI layout and no manifest.json of a docker-archive. ` +
      (old ? "It looks like a docker save from before Docker 1.10; save it again. " : "") +
      `Found: ${findings.sample.length === 0 ? "nothing" : findings.sample.map(quoted).join(", ")}.`,
  );
}
