import type { Descriptor } from "../../model/descriptor";
import type { Digest } from "../../model/digest";
import { ArchiveError, quoted } from "../archiveError";
import type { Compression, UnsupportedForm } from "../decode/compression";
import type { Body } from "../scan/entry";

/** A file that may be a layer of a docker-archive. */
export interface LayerFile {
  size: number;
  label: string;
  form: Compression | UnsupportedForm;
  /** Known in a streamed archive (hashed as it came by), found out later in one that can be read at any place. */
  digest?: Digest;
  body?: Body;
}

export interface DockerImage {
  Config: string;
  RepoTags?: string[] | null;
  Layers: string[] | null;
}

/** A file in an archive that is an archive itself, and may as well be a layer of an image: manifest.json says which. */
export interface Within {
  scope: Scope;
  path: string;
}

/** One archive or folder: the names in it mean something only there. */
export interface Scope {
  label: string;
  /**
   * The file in another archive that this one is; absent for the package itself, and for what is known to be no layer.
   */
  within?: Within;
  /** Where it lies in the package, endings like .tar.gz cut: images may be named by folders. */
  path: string;
  layouts: { prefix: string; label: string; manifests: Descriptor[] }[];
  dockers: { prefix: string; label: string; images: DockerImage[] }[];
  layers: Map<string, LayerFile>;
  configs: Map<string, Digest>;
  links: Map<string, string>;
  /** A folder as `skopeo copy ... dir:` writes it: an image without a name. */
  nameless: string[];
  /** Folders with an `oci-layout` file. */
  marks: Set<string>;
  /** Folders with a `zarf.yaml` file: the layout in images/ below is Zarf's. */
  zarf: Set<string>;
  /** index.json and manifest.json that do not parse: an error if they belong to images. */
  damaged: { prefix: string; label: string }[];
}

export function emptyScope(label: string, path: string, within?: Within): Scope {
  return {
    label,
    path,
    ...(within === undefined ? {} : { within }),
    layouts: [],
    dockers: [],
    layers: new Map(),
    configs: new Map(),
    links: new Map(),
    nameless: [],
    marks: new Set(),
    zarf: new Set(),
    damaged: [],
  };
}

/** More links than any archive of images has, and few enough to be remembered. */
const mostLinks = 100_000;

/** @throws ArchiveError `ARCHIVE_BOMB` */
export function addLink(scope: Scope, path: string, target: string): void {
  scope.links.set(path, target);
  if (scope.links.size > mostLinks) {
    throw new ArchiveError(
      "ARCHIVE_BOMB",
      `${scope.label} has more than ${mostLinks} links. No image package has; if this one is real, split it.`,
    );
  }
}

/** @throws ArchiveError `ARCHIVE_CORRUPT` for a circle */
export function resolveLink(scope: Scope, path: string): string {
  let at = path;
  for (let steps = 0; steps < 16; steps += 1) {
    const next = scope.links.get(at);
    if (next === undefined) {
      return at;
    }
    at = next;
  }
  throw new ArchiveError(
    "ARCHIVE_CORRUPT",
    `${scope.label}: the links from ${quoted(path)} lead nowhere. Make the archive again.`,
  );
}

/** What the manifest.json files of a scope call layers, links resolved. */
export function layerPaths(scope: Scope): Set<string> {
  const paths = new Set<string>();
  for (const docker of scope.dockers) {
    for (const image of docker.images) {
      for (const layer of image.Layers ?? []) {
        paths.add(resolveLink(scope, joinPath(docker.prefix, layer)));
      }
    }
  }
  return paths;
}

/** Whether it was looked into as an archive and is the layer of an image, or lies in one. */
export function isInLayer({ within }: { within?: Within | undefined }): boolean {
  return within !== undefined && (layerPaths(within.scope).has(within.path) || isInLayer(within.scope));
}

export function holdsImages(scope: Scope): boolean {
  return scope.layouts.length > 0 || scope.dockers.length > 0;
}

export function joinPath(folder: string, path: string): string {
  return folder === "" || path === "" ? folder + path : `${folder}/${path}`;
}

/** `images/gcr.io/a/b.tar.gz` -> `images/gcr.io/a/b` */
export function withoutEnding(path: string): string {
  return path.replace(/\.(?:tar|tgz|txz|tzst|oci|docker)?(?:\.(?:gz|xz|zst))?$/i, "");
}
