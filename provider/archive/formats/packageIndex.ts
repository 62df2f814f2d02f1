import type { Digest } from "../../model/digest";
import { isIndex } from "../../model/mediaType";
import type { Reference } from "../../model/reference";
import { ArchiveError, quoted } from "../archiveError";
import type { PackageIndex } from "../imagePackage";
import { configOf, makeManifest } from "./dockerImages";
import type { Findings, ManifestJson } from "./findings";
import { isDescriptors } from "./findings";
import { ImageGraph } from "./imageGraph";
import { nameOf, parseName, referenceOfPath, repositoryOfPath } from "./imageName";
import type { Candidate } from "./imageNames";
import { giveNames } from "./imageNames";
import type { Kind } from "./kind";
import { kindOf } from "./kind";
import { originOf } from "./origin";
import type { DockerImage, Scope } from "./scope";
import { isInLayer, joinPath } from "./scope";
import { addSignatures } from "./signatures";

type Layout = Scope["layouts"][number];

/** An index.json's list, and what is known of where it lies. */
interface Place {
  scope: Scope;
  layout: Layout;
  /** Of the manifest.json beside it. */
  docker: DockerImage[];
  zarf: boolean;
}

/**
 * Puts together what the scan found.
 *
 * @throws ArchiveError `ARCHIVE_EMPTY`, `ARCHIVE_UNNAMED`, `ARCHIVE_NAME_CONFLICT`, `ARCHIVE_INCOMPLETE`,
 * `ARCHIVE_CORRUPT` ...
 */
export async function makeIndex(findings: Findings, source: string): Promise<PackageIndex> {
  const index: PackageIndex = {
    form: "",
    images: [],
    manifests: new Map(),
    blobs: new Map(),
    referrers: new Map(),
    missing: new Map(),
  };
  const scopes = findings.scopes.filter((scope) => !isInLayer(scope));
  const wrong = findings.doubts.find((doubt) => !isInLayer(doubt));
  if (wrong !== undefined) {
    throw wrong.error;
  }
  index.form = formOf(scopes);
  const candidates: Candidate[] = [];
  for (const scope of scopes) {
    checkDamage(scope);
    await addScope(findings, scope, candidates);
  }
  if (candidates.length === 0) {
    throw empty(findings, scopes, source);
  }
  const images = await giveNames(findings, candidates);
  const graph = new ImageGraph(findings, index);
  const incomplete: string[] = [];
  for (const image of images) {
    const lacking = await graph.add(image.root);
    if (lacking.length > 0) {
      incomplete.push(
        `${image.source}: ${lacking.slice(0, 5).join(", ")}${lacking.length > 5 ? ` and ${lacking.length - 5} more` : ""}`,
      );
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
  await addSignatures(findings, index);
  index.images = images;
  return index;
}

async function addScope(findings: Findings, scope: Scope, candidates: Candidate[]): Promise<void> {
  for (const layout of scope.layouts) {
    const docker = scope.dockers.find((other) => other.prefix === layout.prefix);
    const zarf = /(?:^|\/)images$/.test(layout.prefix) && scope.zarf.has(layout.prefix.replace(/\/?images$/, ""));
    await addLayout(findings, { scope, layout, docker: docker?.images ?? [], zarf }, candidates);
  }
  for (const docker of scope.dockers) {
    const layout = scope.layouts.find((other) => other.prefix === docker.prefix);
    for (const image of docker.images) {
      await addDocker(findings, scope, docker, layout, image, candidates);
    }
  }
}

async function addLayout(
  findings: Findings,
  place: Place,
  candidates: Candidate[],
  descriptors = place.layout.manifests,
  depth = 0,
): Promise<void> {
  const { scope, layout, docker } = place;
  // What a child of an index says of what it is based on is no name, Zarf or not.
  const zarf = place.zarf && depth === 0;
  for (const root of descriptors) {
    const name = nameOf(root, layout.label, zarf);
    const kind = kindOf(root);
    const manifest = await findings.manifest(root.digest);
    if (
      name.kind === "none" &&
      kind === undefined &&
      manifest !== undefined &&
      isIndex(manifest.mediaType) &&
      depth < 4
    ) {
      const children = isDescriptors(manifest.json.manifests) ? manifest.json.manifests : [];
      if (children.some((child) => nameOf(child, layout.label).kind !== "none")) {
        await addLayout(findings, place, candidates, children, depth + 1);
        continue;
      }
    }
    if (manifest !== undefined && docker.length > 0 && (await isLayerless(findings, manifest.json))) {
      // Docker 25.0 wrote such manifests beside a right manifest.json.
      continue;
    }
    const reference =
      name.kind === "whole"
        ? name.reference
        : pathReference(joinPath(scope.path, layout.prefix), name.kind === "tag" ? name.tag : undefined, kind);
    const origin = await originOf(findings, {
      descriptor: root,
      manifest,
      reference: name.kind === "whole" ? name.reference : undefined,
      kind,
      saved: docker.length > 0 && kind === undefined,
      zarf: place.zarf,
    });
    candidates.push({
      reference,
      tag: name.kind === "tag" ? name.tag : undefined,
      root: { ...root, mediaType: manifest?.mediaType ?? root.mediaType },
      where: layout.label,
      ...(kind === undefined ? {} : { kind }),
      ...origin,
    });
  }
}

/** What the folder's name adds to a tag, or is the whole name of. */
function pathReference(path: string, tag: string | undefined, kind: Kind | undefined): Reference | undefined {
  if (tag === undefined) {
    return kind?.is === "image" || kind?.is === "index" ? referenceOfPath(path) : undefined;
  }
  const repository = repositoryOfPath(path);
  return repository === undefined ? undefined : { ...repository, tag };
}

async function isLayerless(findings: Findings, { layers, config }: ManifestJson): Promise<boolean> {
  return (
    (layers?.length ?? 0) === 0 && config !== undefined && ((await findings.layersOf(config.digest))?.length ?? 0) > 0
  );
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
  const fromLayout =
    config === undefined || layout === undefined
      ? undefined
      : await rootWithConfig(findings, candidates, layout.label, config);
  if (fromLayout !== undefined) {
    // The same image, with its real manifest; the list may know more names for it.
    const names = tags.map((tag) => parseName(tag, docker.label));
    if (fromLayout.reference === undefined) {
      fromLayout.reference = names.shift();
    }
    candidates.push(...names.map((reference) => ({ ...fromLayout, reference })));
    return;
  }
  const made = await makeManifest(findings, scope, docker.prefix, docker.label, image);
  findings.addManifest(made.digest, made.bytes, docker.label);
  const root = { mediaType: made.mediaType, digest: made.digest, size: made.bytes.length };
  for (const reference of tags.length === 0 ? [undefined] : tags.map((tag) => parseName(tag, docker.label))) {
    candidates.push({
      reference,
      root,
      where: docker.label,
      preserved: false,
      reason: "a docker-archive holds no registry manifest; it was made anew",
    });
  }
}

async function rootWithConfig(
  findings: Findings,
  candidates: Candidate[],
  label: string,
  config: Digest,
): Promise<Candidate | undefined> {
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

function checkDamage(scope: Scope): void {
  for (const { prefix, label } of scope.damaged) {
    if (prefix === "" || scope.marks.has(prefix)) {
      throw new ArchiveError(
        "ARCHIVE_CORRUPT",
        `${label} is not JSON. The package is damaged; fetch or make it again.`,
      );
    }
  }
}

function formOf(scopes: Scope[]): string {
  const layouts = scopes.filter((scope) => scope.layouts.length > 0);
  const dockers = scopes.filter((scope) => scope.dockers.length > 0 && scope.layouts.length === 0);
  const archives = layouts.length + dockers.length;
  const top = scopes[0];
  if (archives === 1 && top !== undefined && (top.layouts.length > 0 || top.dockers.length > 0)) {
    return layouts.length > 0
      ? layouts[0]?.layouts.length === 1
        ? "OCI layout"
        : `${layouts[0]?.layouts.length} OCI layouts`
      : "docker-archive";
  }
  return `archive of ${archives} image archive${archives === 1 ? "" : "s"}`;
}

function empty(findings: Findings, scopes: Scope[], source: string): ArchiveError {
  const nameless = scopes.flatMap((scope) => scope.nameless);
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
