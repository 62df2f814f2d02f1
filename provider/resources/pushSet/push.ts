import type { OpenOptions } from "../../archive/imagePackage";
import type { OperationContext } from "../../model/context";
import { MirrorError, textWithCode } from "../../model/errors";
import { pushPackage } from "../../registry/push/push";
import type { Probe, PushResult } from "../../registry/push/pushResult";
import { Registry } from "../../registry/registry";
import { repositoryBesideProbe } from "../../registry/sets/besideProbe";
import { inspectImages } from "../../registry/sets/inspect";
import { pushProbe } from "../../registry/sets/probe";
import { PushSetBook } from "./book";
import { describeImages, imageChanges, isChange } from "./imageChanges";
import { checkBeforePush, withSigned } from "./requireSigned";
import { signatureOption } from "./signature";
import { describeSources, openSources, sourcesOf } from "./sources";
import type { PushSetInputs, PushSetOutputs } from "./state";

/** Brings the registry what is declared; what failed does not stop the others. */
export async function push(
  inputs: PushSetInputs,
  olds: PushSetOutputs | undefined,
  context: OperationContext,
): Promise<{ outs: PushSetOutputs; failure?: MirrorError }> {
  const registry = new Registry(inputs.registry, context);
  try {
    // First of all: CA and credentials, before minutes are spent on the package.
    await registry.ping();
    const { spoolDir, maxDecodedBytes } = inputs;
    const options: OpenOptions = {
      ...(spoolDir === undefined ? {} : { spoolDir }),
      ...(maxDecodedBytes === undefined ? {} : { maxDecodedBytes }),
      ...signatureOption(inputs.signature),
      signal: context.signal,
      readSoon: true,
    };
    const opened = await openSources(sourcesOf(inputs.source), inputs.digests ?? {}, options, context, {
      mirror: registry,
      signatures: inputs.requireSigned !== undefined,
    });
    try {
      if (inputs.fingerprint !== undefined && inputs.fingerprint !== opened.fingerprint) {
        throw new MirrorError(
          "PACKAGE_CHANGED",
          `${describeSources(inputs.source)}: the package has changed since the program read it; run pulumi preview again to see what the new one holds.`,
        );
      }
      const signed = await checkBeforePush(opened, inputs.requireSigned, inputs, context);
      const previous = olds?.images ?? [];
      const book = new PushSetBook(registry, inputs, olds?.record, context);
      const result = await pushPackage(opened, registry, {
        include: inputs.include ?? [],
        exclude: inputs.exclude ?? [],
        deleteImages: inputs.deleteImages === true,
        previous,
        damaged: olds?.damaged ?? [],
        beforePush: (images) => book.recordPlanned(images),
        keeper: () => book.keeper(),
        ...(inputs.probeRepository === false
          ? {}
          : { stagingRepository: repositoryBesideProbe(inputs.probeRepository, "staging") }),
        context,
      });
      const probe =
        inputs.probeRepository === false
          ? undefined
          : await keepOrPushProbe(registry, inputs.probeRepository, olds?.probe, context);
      const record = await book.recordPushed(result.recorded, result.failures.length === 0);
      const { drift: _drift, ...rest } = inputs;
      const outs: PushSetOutputs = {
        ...rest,
        fingerprint: opened.fingerprint,
        endpoint: inputs.registry.endpoint,
        images: [...withSigned(result.images, signed), ...result.kept],
        probe,
        record,
      };
      const { stats } = result;
      context.log.info(
        `${result.images.length} images in ${inputs.registry.endpoint}: ${stats.blobsSent} blobs (${stats.bytesSent} bytes) sent, ${stats.blobsMounted} mounted, ${stats.blobsPresent} there already`,
      );
      if (signed.size > 0) {
        context.log.info(`${signed.size} of them signed as requireSigned asks`);
      }
      const changes = imageChanges(previous, result.images);
      if (isChange(changes)) {
        context.log.info(describeImages(changes, (source) => describeOutcome(source, result)).join("\n"));
      }
      if (result.failures.length > 0) {
        // Without a fingerprint the state says "not settled", so that the next up tries again.
        return { outs: { ...outs, fingerprint: "" }, failure: incompleteError(result, inputs.registry.endpoint) };
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
function incompleteError({ images, failures }: PushResult, endpoint: string): MirrorError {
  const deletes = failures.filter(({ deleting }) => deleting === true).length;
  const pushes = failures.length - deletes;
  const said = [
    ...(pushes > 0 ? [`${pushes} of ${images.length + pushes} images could not be pushed to ${endpoint}`] : []),
    ...(deletes > 0 ? [`${deletes} dropped images could not be deleted from ${endpoint}`] : []),
  ];
  return new MirrorError(
    "PUSH_INCOMPLETE",
    `${said.join(", and ")}; the others are there, and the next pulumi up does only what is missing.`,
    { reasons: failures.map((failure) => `${failure.source}: ${textWithCode(failure.error)}`) },
  );
}

/** What became of an image that this push set no longer names. */
function describeOutcome(source: string, { deleted, left, kept, failures }: PushResult): string {
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
