import { createHash } from "node:crypto";

import { openPackage } from "./archive/openPackage";
import type { OperationContext } from "./context";
import { PartialFailure, dynamicProvider } from "./dynamic/boundary";
import type { Difference, Operations } from "./dynamic/boundary";
import { holdsUnknown, isUnknown, sameValue } from "./dynamic/plainValue";
import { MirrorError, messageOf } from "./errors";
import { localPath } from "./localPath";
import type { RegistryConnection } from "./registry/connection";
import { parseRegistryEndpoint } from "./registry/endpoint";
import { deletePushed } from "./registry/deletePushed";
import { inspectImages } from "./registry/inspect";
import { pushProbe } from "./registry/probe";
import { pushPackage } from "./registry/push";
import type { Probe, PushedImage } from "./registry/pushResult";
import { Registry } from "./registry/registry";

/** The wire form of ImagePushSet's arguments. */
export interface ImagePushSetInputs {
  source: string;
  /** Of the package's content; what decides whether a push is needed. Absent until the program can read the package. */
  fingerprint?: string;
  /** For the reviewer: `NAME DIGEST` an image, when it is known without decoding; absent otherwise, and then known at push. */
  contents?: string[];
  registry: RegistryConnection;
  include?: string[];
  exclude?: string[];
  probeRepository: string | false;
  deleteImages?: boolean;
  spoolDir?: string;
  maxDecodedBytes?: number;
  /** Only ever in the state, put there by refresh: what the registry lost or has otherwise. That it is not declared makes `up` repair it. */
  drift?: string[];
}

export interface ImagePushSetOutputs extends ImagePushSetInputs {
  endpoint: string;
  images: PushedImage[];
  probe?: Probe;
}

const operations: Operations<ImagePushSetInputs, ImagePushSetOutputs> = {
  check(olds, news) {
    // The listing is for the eye only: a package that was not known when it was pushed must not look changed once it is.
    if (!isUnknown(news.fingerprint) && olds.fingerprint === news.fingerprint) {
      const { contents: _ignored, ...rest } = news;
      return { inputs: olds.contents === undefined ? rest : { ...rest, contents: olds.contents } };
    }
    return { inputs: news };
  },

  diff(olds, news): Difference {
    if (!isUnknown(news.registry.endpoint) && placeOf(olds.registry.endpoint) !== placeOf(news.registry.endpoint)) {
      return { changes: true, replaces: ["registry"] };
    }
    if (!holdsUnknown(news) && isSettled(olds, news) && sameValue(declared(olds), declared(news))) {
      return { changes: false };
    }
    return { changes: true, notes: packageNotes(olds, news) };
  },

  async create(inputs, context) {
    const { outs, failure } = await push(inputs, [], undefined, context);
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
      if (drift.length === 0) {
        return { outs: { ...outs, drift: undefined } as unknown as ImagePushSetOutputs };
      }
      context.log.warn(`the registry no longer has what was pushed:\n${drift.map((line) => `  - ${line}`).join("\n")}`);
      const { endpoint: _endpoint, images: _images, probe: _probe, ...inputs } = outs;
      return { outs: { ...outs, drift }, inputs: { ...inputs, drift } };
    } catch (error) {
      // Not reaching the registry says nothing about what lies in it: the state stays as it is.
      context.log.warn(`${outs.registry.endpoint}: the registry could not be asked, the state is kept as it was: ${messageOf(error)}`);
      return { outs };
    } finally {
      await registry.close();
    }
  },

  async update(id, olds, news, context) {
    if (isSettled(olds, news)) {
      // Credentials, CA, proxy or the path to the same package: nothing to do but to remember them.
      return { ...olds, ...news, endpoint: news.registry.endpoint, drift: undefined } as unknown as ImagePushSetOutputs;
    }
    const { outs, failure } = await push(news, olds.images, olds.probe, context);
    if (failure !== undefined) {
      throw new PartialFailure(failure, { ...outs, fingerprint: "" }, id);
    }
    return outs;
  },

  async delete(_id, outs, context) {
    if (outs.deleteImages !== true) {
      return;
    }
    const registry = new Registry(outs.registry, context);
    try {
      await deletePushed(registry, outs.images, outs.probe, context);
    } finally {
      await registry.close();
    }
  },
};

export const imagePushSet = dynamicProvider(operations);

/** What is compared to tell whether anything at all was declared otherwise. */
function declared(inputs: ImagePushSetInputs): unknown {
  const { source, registry, include, exclude, probeRepository, deleteImages, fingerprint, spoolDir, maxDecodedBytes } = inputs;
  return { source, registry, include, exclude, probeRepository, deleteImages, fingerprint, spoolDir, maxDecodedBytes };
}

/** True when the registry need not be touched: same content, same filters, nothing missing. */
function isSettled(olds: ImagePushSetOutputs, news: ImagePushSetInputs): boolean {
  const what = (inputs: ImagePushSetInputs): unknown => {
    const { include, exclude, probeRepository, deleteImages, fingerprint } = inputs;
    return { include, exclude, probeRepository, deleteImages, fingerprint };
  };
  return olds.fingerprint !== undefined && (olds.drift ?? []).length === 0 && sameValue(what(olds), what(news));
}

/** Host, port and namespace, whatever way the endpoint is written. */
function placeOf(endpoint: string): string {
  const { scheme, host, port, namespace } = parseRegistryEndpoint(endpoint);
  return `${scheme}://${host}:${port}/${namespace}`;
}

function packageNotes(olds: ImagePushSetOutputs, news: ImagePushSetInputs): string[] {
  if (olds.fingerprint === news.fingerprint || isUnknown(news.fingerprint)) {
    return [];
  }
  if (!Array.isArray(news.contents)) {
    return ["the package has changed; which images that adds, changes or drops is known once it has been decoded, at push"];
  }
  const before = new Map((olds.images ?? []).map((image) => [image.source, image.digest]));
  const lines: string[] = [];
  for (const line of news.contents) {
    const [source, digest] = line.split(" ") as [string, string];
    const old = before.get(source);
    if (old === undefined) {
      lines.push(`+ ${source}`);
    } else if (old !== digest) {
      lines.push(`~ ${source} ${old.slice(0, 19)} -> ${digest.slice(0, 19)}`);
    }
    before.delete(source);
  }
  lines.push(...[...before.keys()].map((source) => `- ${source}${news.deleteImages === true ? " (deleted from the registry)" : " (stays in the registry)"}`));
  return lines.length > 0 ? ["images in the changed package:", ...lines] : [];
}

function driftLine(entry: { image: string; expected: string; found: string | undefined }): string {
  return entry.found === undefined ? `${entry.image} is gone` : `${entry.image} is now ${entry.found}, pushed was ${entry.expected}`;
}

async function push(
  inputs: ImagePushSetInputs,
  previous: PushedImage[],
  oldProbe: Probe | undefined,
  context: OperationContext,
): Promise<{ outs: ImagePushSetOutputs; failure?: MirrorError }> {
  const registry = new Registry(inputs.registry, context);
  try {
    // First of all: CA and credentials, before minutes are spent on the package.
    await registry.ping();
    const opened = await openPackage(localPath(inputs.source), {
      ...(inputs.spoolDir === undefined ? {} : { spoolDir: localPath(inputs.spoolDir) }),
      ...(inputs.maxDecodedBytes === undefined ? {} : { maxDecodedBytes: inputs.maxDecodedBytes }),
      signal: context.signal,
      readSoon: true,
    });
    try {
      if (inputs.fingerprint !== undefined && inputs.fingerprint !== opened.fingerprint) {
        throw new MirrorError(
          "PACKAGE_CHANGED",
          `${inputs.source}: the package has changed since the program read it; run pulumi preview again to see what the new one holds.`,
        );
      }
      const result = await pushPackage(opened, registry, {
        include: inputs.include ?? [],
        exclude: inputs.exclude ?? [],
        deleteImages: inputs.deleteImages === true,
        previous,
        ...(inputs.probeRepository === false ? {} : { stagingRepository: besideProbe(inputs.probeRepository) }),
        context,
      });
      const probe = inputs.probeRepository === false ? undefined : await keepOrPushProbe(registry, inputs.probeRepository, oldProbe, context);
      const { drift: _drift, ...rest } = inputs;
      const outs: ImagePushSetOutputs = { ...rest, fingerprint: opened.fingerprint, endpoint: inputs.registry.endpoint, images: [...result.images, ...result.kept], ...(probe === undefined ? {} : { probe }) };
      const { stats } = result;
      context.log.info(
        `${result.images.length} images in ${inputs.registry.endpoint}: ${stats.blobsSent} blobs (${stats.bytesSent} bytes) sent, ${stats.blobsMounted} mounted, ${stats.blobsPresent} there already`,
      );
      if (result.failures.length > 0) {
        const reasons = result.failures.map((failure) => `${failure.source}: ${messageOf(failure.error)}`);
        const total = result.images.length + result.failures.length;
        const failure = new MirrorError(
          "PUSH_INCOMPLETE",
          `${result.failures.length} of ${total} images could not be pushed to ${inputs.registry.endpoint}; the others are there, and the next pulumi up sends only what is missing.`,
          { reasons },
        );
        // Without a fingerprint the state says "not settled", so that the next up tries again.
        return { outs: { ...outs, fingerprint: "" }, failure };
      }
      return { outs };
    } finally {
      await opened.close();
    }
  } finally {
    await registry.close();
  }
}

/** Where blobs wait whose image is not known yet: beside the probe, which the user has placed where writing is allowed. */
function besideProbe(repository: string): string {
  const slash = repository.lastIndexOf("/");
  return slash < 0 ? `${repository}-staging` : `${repository.slice(0, slash)}/staging`;
}

async function keepOrPushProbe(registry: Registry, repository: string, old: Probe | undefined, context: OperationContext): Promise<Probe> {
  if (old?.repository === repository) {
    const [state] = await inspectImages(registry, [], old, context);
    if (state?.found === old.digest) {
      return old;
    }
  }
  return pushProbe(registry, repository, context);
}
