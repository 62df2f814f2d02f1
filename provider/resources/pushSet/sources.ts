import { createHash } from "node:crypto";

import type { ImagePackage, OpenOptions } from "../../archive/imagePackage";
import { openPackage } from "../../archive/openPackage";
import { openAsOne } from "../../archive/packageList";
import type { OperationContext } from "../../model/context";
import type { Digest } from "../../model/digest";
import { MirrorError } from "../../model/errors";
import { localPath } from "../../model/localPath";
import type { Problem } from "../../model/problem";
import { parseReference } from "../../model/reference";
import { credentialProblem } from "../../registry/auth/givenCredentials";
import { parseRegistryEndpoint } from "../../registry/endpoint";
import type { Registry } from "../../registry/registry";
import type { ImageList, ResolvedImage, SourceConnection } from "../../registry/source/imageList";
import { RegistryImages, resolveList } from "../../registry/source/registryImages";
import { sourceName } from "../../registry/source/resolveImages";
import { attempt } from "../arguments/resolved";
import { shapeProblems } from "../arguments/shape";
import { shapes } from "./shapes";
import { keyProblems } from "./sourceKeys";

/** Where images come from: the path of an image package, or a list of names in other registries. */
export type ImageSource = string | ImageList;

/** What the names of all lists pointed at when the program looked them up: name -> digest. */
export type Digests = Record<string, Digest>;

/** The entries of `source`, which may be one without a list around it. */
export function sourcesOf(source: ImageSource | ImageSource[]): ImageSource[] {
  return Array.isArray(source) ? source : [source];
}

/** What errors call one of them. */
export function sourceArgument(sources: readonly ImageSource[], at: number): string {
  return sources.length === 1 ? "source" : `source[${at}]`;
}

/** Tells one source from another, whatever way its registries are reached: no secret is in it. */
export function sourceMark(source: ImageSource | ImageSource[]): string {
  const named = sourcesOf(source).map((one) =>
    typeof one === "string" ? one : [one.images, one.platforms ?? "all", one.pin === true, one.held === true],
  );
  return createHash("sha256").update(JSON.stringify(named)).digest("hex");
}

/** How people call them. */
export function describeSources(source: ImageSource | ImageSource[]): string {
  return sourcesOf(source)
    .map((one) => (typeof one === "string" ? one : `${one.images.length} images by name`))
    .join(", ");
}

/** What is wrong with the kinds of values. */
export function sourceProblems(source: unknown): Problem[] {
  return Array.isArray(source)
    ? source.flatMap((one, at) => entryProblems(one, `source[${at}]`))
    : entryProblems(source, "source");
}

function entryProblems(entry: unknown, name: string): Problem[] {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
    return shapeProblems(entry, shapes.path, name);
  }
  const { platforms, registries } = entry as Partial<ImageList>;
  const given = typeof registries === "object" ? Object.entries(registries ?? {}) : [];
  const ways = given.flatMap(([host, connection]) => connectionProblems(host, connection, name));
  // `held` is the mark of what imagesOn gives.
  const shape = shapeProblems({ ...entry, held: undefined }, shapes.imageList, name);
  return [
    ...(shape.length > 0 ? shape : nameProblems((entry as ImageList).images, `${name}.images`)),
    ...(platforms === "all" ? [] : shapeProblems(platforms, shapes.platforms, `${name}.platforms`)),
    ...ways,
  ];
}

function connectionProblems(host: string, connection: unknown, list: string): Problem[] {
  const name = `${list}.registries["${host}"]`;
  const shape = shapeProblems(connection, shapes.sourceRegistry, name);
  if (shape.length > 0) {
    return shape;
  }
  const { endpoint, password, ...given } = connection as SourceConnection;
  const parsed = endpoint === undefined ? undefined : attempt(() => parseRegistryEndpoint(endpoint));
  const credentials = credentialProblem({ ...given, withPassword: password !== undefined }, name);
  return [
    ...keyProblems(host, name),
    ...(parsed?.problems ?? []).map(({ code, text }) => ({ code, text: `${name}.endpoint: ${text}` })),
    ...(credentials === undefined ? [] : [credentials]),
  ];
}

/** What is no image name, each. */
function nameProblems(images: readonly string[], name: string): Problem[] {
  return images.flatMap((image, at) =>
    attempt(() => parseReference(image)).problems.map(({ code, text }) => ({ code, text: `${name}[${at}]: ${text}` })),
  );
}

/** @throws MirrorError `SOURCE_INVALID` for what names nothing, or one package twice */
export function checkSources(sources: readonly ImageSource[]): void {
  if (
    sources.length === 0 ||
    sources.some((one) => typeof one !== "string" && one.held !== true && one.images.length === 0)
  ) {
    throw new MirrorError(
      "SOURCE_INVALID",
      "source: an empty list; name an image package, or several, or images by their names.",
    );
  }
  const twice = sources.find((one, at) => typeof one === "string" && sources.indexOf(one) !== at);
  if (twice !== undefined) {
    throw new MirrorError("SOURCE_INVALID", `source: "${twice as string}" is named twice; take one away.`);
  }
}

/** Looks the names of all lists up. @throws RegistryError `IMAGES_UNRESOLVED` */
export async function resolveSources(sources: readonly ImageSource[], context: OperationContext): Promise<Digests> {
  const digests: Digests = {};
  for (const [at, source] of sources.entries()) {
    if (typeof source !== "string") {
      for (const { source: name, digest } of await resolveList(source, sourceArgument(sources, at), context)) {
        digests[name] = digest;
      }
    }
  }
  return digests;
}

/**
 * Opens all sources as one package.
 *
 * @param digests As `resolveSources` gave them; what is missing there is looked up now.
 * @param also `mirrors`: where the images go; `first`: done with each package before the next is opened; `signatures`:
 *   whether those of named images are read.
 */
export function openSources(
  sources: readonly ImageSource[],
  digests: Digests,
  options: OpenOptions,
  context: OperationContext,
  also: {
    mirrors?: readonly Registry[];
    first?: (opened: ImagePackage) => Promise<unknown>;
    signatures?: boolean;
  } = {},
): Promise<ImagePackage> {
  const { mirrors = [], first, signatures = false } = also;
  const { spoolDir } = options;
  const local = { ...options, ...(spoolDir === undefined ? {} : { spoolDir: localPath(spoolDir) }) };
  return openAsOne(
    sources.map((source, at) => async () => {
      if (typeof source === "string") {
        const opened = await openPackage(localPath(source), local);
        try {
          await first?.(opened);
        } catch (error) {
          await opened.close();
          throw error;
        }
        return opened;
      }
      const resolved = knownImages(source, digests);
      return RegistryImages.open(source, context, {
        signatures,
        ...(resolved === undefined ? {} : { resolved }),
        mirrors,
        argument: sourceArgument(sources, at),
      });
    }),
  );
}

/** What a list's names point at; undefined where that is not known of one of them. */
export function knownImages({ images }: ImageList, digests: Digests): ResolvedImage[] | undefined {
  const names = [...new Set(images.map(sourceName))];
  const known = names.flatMap((source) => {
    const digest = digests[source];
    return digest === undefined ? [] : [{ source, digest }];
  });
  return known.length === names.length ? known : undefined;
}
