import { createHash } from "node:crypto";

import { openPackages, sourcesOf } from "../../archive/packageList";
import { withCode } from "../../model/codes";
import type { OperationContext } from "../../model/context";
import { messageOf, MirrorError, toldOf } from "../../model/errors";
import { localPath } from "../../model/localPath";
import type { Difference, Operations } from "../../pulumi/boundary";
import { dynamicProvider, PartialFailure } from "../../pulumi/boundary";
import { holdsUnknown, isUnknown, sameValue } from "../../pulumi/plainValue";
import type { RegistryConnection } from "../../registry/connection";
import { parseRegistryEndpoint } from "../../registry/endpoint";
import { selectImages } from "../../registry/push/imageFilter";
import { pushPackage } from "../../registry/push/push";
import type { Probe, PushedImage, PushResult } from "../../registry/push/pushResult";
import { Registry } from "../../registry/registry";
import { besideProbe } from "../../registry/sets/besideProbe";
import { deletePushed } from "../../registry/sets/deletePushed";
import { inspectImages } from "../../registry/sets/inspect";
import { pushProbe } from "../../registry/sets/probe";
import type { RecordPlace } from "../../registry/sets/pushSetRecord";
import { deleteRecord, hasRecord, recordTag } from "../../registry/sets/pushSetRecord";
import { keeperForDelete, PushSetBook } from "./book";
import type { NamedImage } from "./imageChanges";
import { describeImages, imageChanges, isChange } from "./imageChanges";

/** The wire form of ImagePushSet's arguments. */
export interface ImagePushSetInputs {
  /** One package, or several that are pushed as one. */
  source: string | string[];
  /** Of the package's content; what decides whether a push is needed. Absent until the program can read the package. */
  fingerprint?: string;
  /**
   * For the reviewer: `NAME DIGEST` an image, when it is known without decoding; absent otherwise, and then known at
   * push.
   */
  contents?: string[];
  /** Only ever on the wire: there is no package at the path. */
  missing?: string;
  registry: RegistryConnection;
  include?: string[];
  exclude?: string[];
  probeRepository: string | false;
  deleteImages?: boolean;
  spoolDir?: string;
  maxDecodedBytes?: number;
  /**
   * Only ever in the state, put there by refresh: what the registry lost or has otherwise. That it is not declared
   * makes `up` repair it.
   */
  drift?: string[];
}

/** @internal Exported for the tests, which call the operations. */
export interface ImagePushSetOutputs extends ImagePushSetInputs {
  endpoint: string;
  images: PushedImage[];
  probe?: Probe;
  /**
   * Where the registry has the list of what this push set has; absent in a state of 0.1.0, and where the registry takes
   * none.
   */
  record?: RecordPlace;
}

/**
 * Images by a package's fingerprint, as this run's checks have seen them. The inputs have them only where they had them
 * at the last push, so that a package that became known meanwhile does not look changed; a preview names the images all
 * the same.
 */
const listings = new Map<string, string[]>();

const operations: Operations<ImagePushSetInputs, ImagePushSetOutputs> = {
  check(olds, { missing, ...news }) {
    if (typeof news.fingerprint === "string" && Array.isArray(news.contents)) {
      listings.set(news.fingerprint, news.contents);
    }
    if (missing !== undefined && !isUnknown(missing)) {
      return withoutPackage(olds, news, missing);
    }
    const problems = filterProblems(news);
    const notes = problems.length === 0 && olds.fingerprint === undefined ? firstPushNotes(news) : [];
    // The listing is for the eye only: a package that was not known when it was pushed must not look changed once it
    // is.
    if (!isUnknown(news.fingerprint) && olds.fingerprint === news.fingerprint) {
      const { contents: _ignored, ...rest } = news;
      return { inputs: olds.contents === undefined ? rest : { ...rest, contents: olds.contents }, problems };
    }
    return { inputs: news, problems, notes };
  },

  diff(olds, news): Difference {
    if (!isUnknown(news.registry.endpoint) && placeOf(olds.registry.endpoint) !== placeOf(news.registry.endpoint)) {
      return { changes: true, replaces: ["registry"] };
    }
    if (!holdsUnknown(news) && isSettled(olds, news) && sameValue(declared(olds), declared(news))) {
      return { changes: false };
    }
    return { changes: true, notes: isSettled(olds, news) ? [] : imageNotes(olds, news) };
  },

  async create(inputs, context) {
    const { outs, failure } = await push(inputs, undefined, context);
    const id = `images-${createHash("sha256").update(placeOf(inputs.registry.endpoint)).digest("hex").slice(0, 12)}`;
    if (failure !== undefined) {
      throw outs.images.length > 0 ? new PartialFailure(failure, outs, id) : failure;
    }
    return { id, outs };
  },

  async read(_id, outs, context) {
    const registry = new Registry(outs.registry, context);
    try {
      const found = await inspectImages(registry, outs.images, outs.probe, context);
      const drift = found.filter((entry) => entry.found !== entry.expected).map(driftLine);
      if (outs.record !== undefined && !(await hasRecord(registry, outs.record))) {
        drift.push(`${outs.record.repository}: the record of what this push set has is gone`);
      }
      if (drift.length === 0) {
        return { outs: { ...outs, drift: undefined } as unknown as ImagePushSetOutputs };
      }
      context.log.warn(`the registry no longer has what was pushed:\n${drift.map((line) => `  - ${line}`).join("\n")}`);
      // The endpoint stays: the program declares it beside the registry, for it to be an output.
      const { images: _images, probe: _probe, record: _record, ...inputs } = outs;
      return { outs: { ...outs, drift }, inputs: { ...inputs, drift } };
    } catch (error) {
      // Not reaching the registry says nothing about what lies in it: the state stays as it is.
      context.log.warn(
        `${outs.registry.endpoint}: the registry could not be asked, the state is kept as it was: ${messageOf(error)}`,
      );
      return { outs };
    } finally {
      await registry.close();
    }
  },

  async update(id, olds, news, context) {
    if (isSettled(olds, news)) {
      // Credentials, CA, proxy or the path to the same package: nothing to do but to remember them.
      const { images, probe, record, fingerprint } = olds;
      return { ...news, fingerprint, endpoint: news.registry.endpoint, images, probe, record };
    }
    const { outs, failure } = await push(news, olds, context);
    if (failure !== undefined) {
      throw new PartialFailure(failure, outs, id);
    }
    return outs;
  },

  async delete(_id, outs, context) {
    if (outs.deleteImages !== true && outs.record === undefined) {
      return;
    }
    const registry = new Registry(outs.registry, context);
    try {
      if (outs.deleteImages === true) {
        await deleteAll(registry, outs, context);
      }
      if (outs.record !== undefined) {
        await forgetRecord(registry, outs.record, context);
      }
    } finally {
      await registry.close();
    }
  },
};

export const imagePushSet = dynamicProvider(operations);

/** A package that was pushed and is not kept is no mistake as long as nothing is asked of it. */
function withoutPackage(
  olds: Partial<ImagePushSetInputs>,
  inputs: ImagePushSetInputs,
  missing: string,
): { inputs: ImagePushSetInputs; problems?: string[]; notes?: string[] } {
  const { fingerprint = "", contents, source } = olds;
  const pushed = fingerprint !== "" && source !== undefined && sameValue(sourcesOf(source), sourcesOf(inputs.source));
  if (!pushed || !sameValue(filters(olds), filters(inputs))) {
    return { inputs, problems: [withCode(missing, "ARCHIVE_NOT_FOUND")] };
  }
  return {
    inputs: { ...inputs, fingerprint, ...(contents === undefined ? {} : { contents }) },
    notes: [
      `${missing} It was pushed before, and what the state says of it is kept; whatever needs it again will fail.`,
    ],
  };
}

/** What is compared to tell whether anything at all was declared otherwise. */
function declared(inputs: ImagePushSetInputs): unknown {
  const { source, registry, spoolDir, maxDecodedBytes } = inputs;
  return { ...inRegistry(inputs), source: sourcesOf(source), registry, spoolDir, maxDecodedBytes };
}

/** What decides whether the registry must be touched. */
function inRegistry(inputs: ImagePushSetInputs): object {
  const { include, exclude, probeRepository, deleteImages, fingerprint } = inputs;
  return { include, exclude, probeRepository, deleteImages, fingerprint };
}

/** True when the registry need not be touched: same content, same filters, nothing missing. */
function isSettled(olds: ImagePushSetOutputs, news: ImagePushSetInputs): boolean {
  return (
    olds.fingerprint !== undefined && (olds.drift ?? []).length === 0 && sameValue(inRegistry(olds), inRegistry(news))
  );
}

/** Host, port and namespace, whatever way the endpoint is written. */
function placeOf(endpoint: string): string {
  const { scheme, host, port, namespace } = parseRegistryEndpoint(endpoint);
  return `${scheme}://${host}:${port}/${namespace}`;
}

/** The package's images after include and exclude; undefined while they are not known. */
function wantedImages(news: ImagePushSetInputs): NamedImage[] | undefined {
  const { fingerprint, include = [], exclude = [] } = news;
  const contents = Array.isArray(news.contents)
    ? news.contents
    : typeof fingerprint === "string"
      ? listings.get(fingerprint)
      : undefined;
  if (contents === undefined || holdsUnknown([fingerprint, include, exclude])) {
    return undefined;
  }
  return selectImages(contents.map(namedImage), include, exclude);
}

function namedImage(line: string): NamedImage {
  const [source = "", digest = ""] = line.split(" ");
  return { source, digest };
}

/** A pattern that matches nothing is known before the push where the images are. */
function filterProblems(news: ImagePushSetInputs): string[] {
  try {
    wantedImages(news);
    return [];
  } catch (error) {
    if (error instanceof MirrorError) {
      return [toldOf(error)];
    }
    throw error;
  }
}

function firstPushNotes(news: ImagePushSetInputs): string[] {
  const wanted = wantedImages(news);
  return wanted === undefined
    ? ["which images are pushed is known once the package has been decoded, at push"]
    : describeImages(imageChanges([], wanted), () => "");
}

function imageNotes(olds: ImagePushSetOutputs, news: ImagePushSetInputs): string[] {
  const fate = (): string =>
    news.deleteImages === true ? "deleted from the registry, unless another push set has it" : "stays in the registry";
  const samePackage = olds.fingerprint === news.fingerprint;
  const wanted = wantedImages(news);
  if (wanted !== undefined) {
    const before = samePackage ? sameDigests(olds.images, wanted) : packageDigests(olds);
    const changes = imageChanges(before, wanted);
    return isChange(changes) ? describeImages(changes, fate) : [];
  }
  if (!samePackage || holdsUnknown([news.include, news.exclude])) {
    return ["which images that adds, changes or drops is known once the package has been decoded, at push"];
  }
  // Of a package that is not known here only what was pushed of it is: what no longer passes the filters, not what
  // passes them now.
  const left = stillChosen(olds.images, news);
  const lines = describeImages(imageChanges(olds.images, left), fate);
  return sameValue(filters(olds), filters(news))
    ? []
    : [...lines, "which images that adds is known once the package has been decoded, at push"];
}

function filters({ include, exclude }: Pick<ImagePushSetInputs, "include" | "exclude">): unknown {
  return { include: include ?? [], exclude: exclude ?? [] };
}

/**
 * A tag may point at something else than the package's own digest (a manifest made anew): the same package is no change
 * of it.
 */
function sameDigests(images: readonly NamedImage[], wanted: readonly NamedImage[]): NamedImage[] {
  const digests = new Map(wanted.map(({ source, digest }) => [source, digest]));
  return images.map(({ source, digest }) => ({ source, digest: digests.get(source) ?? digest }));
}

/** The images of the last push, with the package's own digests where those were known. */
function packageDigests(olds: ImagePushSetOutputs): NamedImage[] {
  return sameDigests(olds.images ?? [], (olds.contents ?? listings.get(olds.fingerprint ?? "") ?? []).map(namedImage));
}

function stillChosen(
  images: readonly PushedImage[],
  { include = [], exclude = [] }: ImagePushSetInputs,
): PushedImage[] {
  try {
    return selectImages(images, include, exclude);
  } catch (error) {
    if (error instanceof MirrorError) {
      // A pattern may be for an image of the package that was not pushed so far.
      return [...images];
    }
    throw error;
  }
}

async function deleteAll(registry: Registry, outs: ImagePushSetOutputs, context: OperationContext): Promise<void> {
  const known = await keeperForDelete(registry, outs, outs.record);
  if ("unknown" in known) {
    context.log.warn(
      `nothing was deleted from ${outs.endpoint}, because nobody can tell what other push sets there still name: ${known.unknown} ` +
        `Delete by hand what is not needed: ${outs.images.map((image) => image.target).join(", ")}`,
    );
    return;
  }
  const { deleted, left } = await deletePushed(registry, outs.images, outs.probe, known.keeper, context);
  const lines = [
    ...deleted.map((name) => `  - ${name}`),
    ...left.map(({ name, reason }) => `  ${name} stays: ${reason}`),
  ];
  if (lines.length > 0) {
    context.log.info(`${deleted.length} deleted from ${outs.endpoint}:\n${lines.join("\n")}`);
  }
}

/**
 * A record that stays spares images from other push sets' deletes, no more; so it is no reason for a delete to fail.
 */
async function forgetRecord(registry: Registry, record: RecordPlace, context: OperationContext): Promise<void> {
  try {
    await registry.ping();
    await deleteRecord(registry, record);
  } catch (error) {
    context.log.info(
      `the record of this push set stays in the registry, as ${record.repository}:${recordTag(record)}: ${messageOf(error)}`,
    );
  }
}

function driftLine(entry: { image: string; expected: string; found: string | undefined }): string {
  return entry.found === undefined
    ? `${entry.image} is gone`
    : `${entry.image} is now ${entry.found}, pushed was ${entry.expected}`;
}

async function push(
  inputs: ImagePushSetInputs,
  olds: ImagePushSetOutputs | undefined,
  context: OperationContext,
): Promise<{ outs: ImagePushSetOutputs; failure?: MirrorError }> {
  const registry = new Registry(inputs.registry, context);
  try {
    // First of all: CA and credentials, before minutes are spent on the package.
    await registry.ping();
    const opened = await openPackages(sourcesOf(inputs.source).map(localPath), {
      ...(inputs.spoolDir === undefined ? {} : { spoolDir: localPath(inputs.spoolDir) }),
      ...(inputs.maxDecodedBytes === undefined ? {} : { maxDecodedBytes: inputs.maxDecodedBytes }),
      signal: context.signal,
      readSoon: true,
    });
    try {
      if (inputs.fingerprint !== undefined && inputs.fingerprint !== opened.fingerprint) {
        throw new MirrorError(
          "PACKAGE_CHANGED",
          `${sourcesOf(inputs.source).join(", ")}: the package has changed since the program read it; run pulumi preview again to see what the new one holds.`,
        );
      }
      const previous = olds?.images ?? [];
      const book = new PushSetBook(registry, inputs, olds?.record, context);
      const result = await pushPackage(opened, registry, {
        include: inputs.include ?? [],
        exclude: inputs.exclude ?? [],
        deleteImages: inputs.deleteImages === true,
        previous,
        beforePush: (manifests) => book.begin(manifests),
        keeper: () => book.keeper(),
        ...(inputs.probeRepository === false
          ? {}
          : { stagingRepository: besideProbe(inputs.probeRepository, "staging") }),
        context,
      });
      const probe =
        inputs.probeRepository === false
          ? undefined
          : await keepOrPushProbe(registry, inputs.probeRepository, olds?.probe, context);
      const record = await book.end(result.manifests, result.failures.length === 0);
      const { drift: _drift, ...rest } = inputs;
      const outs: ImagePushSetOutputs = {
        ...rest,
        fingerprint: opened.fingerprint,
        endpoint: inputs.registry.endpoint,
        images: [...result.images, ...result.kept],
        probe,
        record,
      };
      const { stats } = result;
      context.log.info(
        `${result.images.length} images in ${inputs.registry.endpoint}: ${stats.blobsSent} blobs (${stats.bytesSent} bytes) sent, ${stats.blobsMounted} mounted, ${stats.blobsPresent} there already`,
      );
      const changes = imageChanges(previous, result.images);
      if (isChange(changes)) {
        context.log.info(describeImages(changes, (source) => fateOf(source, result)).join("\n"));
      }
      if (result.failures.length > 0) {
        // Without a fingerprint the state says "not settled", so that the next up tries again.
        return { outs: { ...outs, fingerprint: "" }, failure: incomplete(result, inputs.registry.endpoint) };
      }
      return { outs };
    } finally {
      await opened.close();
    }
  } finally {
    await registry.close();
  }
}

/** What could not be pushed or deleted. */
function incomplete({ images, failures }: PushResult, endpoint: string): MirrorError {
  const deletes = failures.filter(({ deleting }) => deleting === true).length;
  const pushes = failures.length - deletes;
  const said = [
    ...(pushes > 0 ? [`${pushes} of ${images.length + pushes} images could not be pushed to ${endpoint}`] : []),
    ...(deletes > 0 ? [`${deletes} dropped images could not be deleted from ${endpoint}`] : []),
  ];
  return new MirrorError(
    "PUSH_INCOMPLETE",
    `${said.join(", and ")}; the others are there, and the next pulumi up does only what is missing.`,
    { reasons: failures.map((failure) => `${failure.source}: ${toldOf(failure.error)}`) },
  );
}

/** What became of an image that this push set no longer names. */
function fateOf(source: string, { deleted, left, kept, failures }: PushResult): string {
  const reason = left.find(({ name }) => name === source)?.reason;
  if (reason !== undefined) {
    return `stays in the registry: ${reason}`;
  }
  if (deleted.includes(source)) {
    return "deleted from the registry";
  }
  const named = (one: { source: string }): boolean => one.source === source;
  return kept.some(named) && failures.some(named) ? "failed: the registry keeps what it had" : "stays in the registry";
}

async function keepOrPushProbe(
  registry: Registry,
  repository: string,
  old: Probe | undefined,
  context: OperationContext,
): Promise<Probe> {
  if (old?.repository === repository) {
    const [state] = await inspectImages(registry, [], old, context);
    if (state?.found === old.digest) {
      return old;
    }
  }
  return pushProbe(registry, repository, context);
}
