import type { ImagePackage, OpenOptions } from "../../archive/imagePackage";
import type { OperationContext } from "../../model/context";
import { MirrorError, textWithCode } from "../../model/errors";
import type { NodeConnection } from "../../node";
import { pushToAll } from "../../registry/push/push";
import type { PushedImage, PushResult } from "../../registry/push/pushResult";
import type { SignedImages } from "../../registry/signed/requiredSigners";
import { cleanRegistry } from "./clean";
import type { RegistryEntry } from "./comparison";
import { compareRegistries } from "./comparison";
import { Delivery } from "./delivery";
import { describeImages, imageChanges, isChange } from "./imageChanges";
import { stateOf, summaryOf } from "./registries";
import { checkBeforePush, withSigned } from "./requireSigned";
import { bringProbe } from "./sharedProbe";
import { signatureOption } from "./signature";
import { describeSources, openSources, sourcesOf } from "./sources";
import type { DroppedRegistry, PushSetInputs, PushSetOutputs, RegistryState } from "./state";

/** Brings the registries what is declared; what failed, an image or a registry, does not stop the others. */
export async function push(
  inputs: PushSetInputs,
  olds: PushSetOutputs | undefined,
  context: OperationContext,
  nodes?: readonly NodeConnection[],
): Promise<{ outs: PushSetOutputs; failure?: MirrorError }> {
  const { entries, dropped } = compareRegistries(olds, inputs);
  const deliveries = entries.flatMap((entry) => (entry.isSettled ? [] : [new Delivery(entry, inputs, nodes, context)]));
  let pushed: PushedPackage = { fingerprint: inputs.fingerprint, signed: new Map() };
  try {
    // First of all: CA and credentials, before minutes are spent on the package.
    await Promise.all(deliveries.map((one) => one.ping()));
    throwWhatLeavesNothing(inputs, olds, deliveries);
    if (deliveries.some(({ failure }) => failure === undefined)) {
      pushed = await deliver(inputs, entries, deliveries, context);
      throwWhatLeavesNothing(inputs, olds, deliveries);
    }
    logImages(inputs, entries, deliveries, context);
    if (pushed.signed.size > 0) {
      context.log.info(`${pushed.signed.size} of them signed as requireSigned asks`);
    }
  } finally {
    await Promise.all(deliveries.map(({ registry }) => registry.close()));
  }
  const states = entries.map((entry) => {
    const delivery = deliveries.find((one) => one.entry === entry);
    return delivery === undefined
      ? { ...(entry.before as RegistryState), endpoint: entry.connection.endpoint }
      : stateAfter(delivery, pushed);
  });
  const { drift: _drift, ...rest } = inputs;
  const outs: PushSetOutputs = { ...rest, ...summaryOf(inputs.registry, states) };
  const failure = failureOf(inputs, deliveries);
  // Nodes may ask what is dropped as long as what takes its place is not complete.
  const left = failure === undefined ? await cleanDropped(dropped, inputs, nodes, context) : dropped;
  const all = left.length === 0 ? outs : { ...outs, dropped: left.map(withoutFingerprint) };
  return failure === undefined ? { outs: all } : { outs: all, failure };
}

/** Cleans the registries that are declared no longer. @returns those that still have something to be deleted */
async function cleanDropped(
  dropped: readonly DroppedRegistry[],
  inputs: PushSetInputs,
  nodes: readonly NodeConnection[] | undefined,
  context: OperationContext,
): Promise<DroppedRegistry[]> {
  const left: DroppedRegistry[] = [];
  for (const one of dropped) {
    const { connection, before } = one;
    try {
      await cleanRegistry(connection, before, inputs, nodes, context);
    } catch (error) {
      context.signal.throwIfAborted();
      left.push(one);
      context.log.warn(
        `${connection.endpoint} is no longer among the registries, and what this push set has there could not be deleted: ${textWithCode(error)} ` +
          "The next pulumi up tries again; with deleteImages: false it stays there.",
      );
    }
  }
  return left;
}

/** Should it be declared again, all of it is looked at. */
function withoutFingerprint({
  connection,
  before: { fingerprint: _old, ...before },
}: DroppedRegistry): DroppedRegistry {
  return { connection, before };
}

/** What was pushed. */
interface PushedPackage {
  fingerprint: string | undefined;
  /** The images that are signed as it is asked, with the keys' names. */
  signed: SignedImages["signed"];
}

/** One reading of the package for all registries. */
async function deliver(
  inputs: PushSetInputs,
  entries: readonly RegistryEntry[],
  deliveries: readonly Delivery[],
  context: OperationContext,
): Promise<PushedPackage> {
  const live = deliveries.filter(({ failure }) => failure === undefined);
  const opened = await openPackage(inputs, live, context);
  try {
    if (inputs.fingerprint !== undefined && inputs.fingerprint !== opened.fingerprint) {
      throw new MirrorError(
        "PACKAGE_CHANGED",
        `${describeSources(inputs.source)}: the package has changed since the program read it; run pulumi preview again to see what the new one holds.`,
      );
    }
    const signed = await checkBeforePush(opened, inputs.requireSigned, inputs, context);
    const targets = live.map(({ target }) => target);
    const { include = [], exclude = [] } = inputs;
    const outcomes = await pushToAll(opened, targets, { include, exclude, context });
    await Promise.all(
      live.map((delivery, at) => delivery.attempt(() => delivery.take(outcomes[at] as (typeof outcomes)[number]))),
    );
    await bringProbes(inputs, entries, live, context);
    await Promise.all(live.map((delivery) => delivery.attempt(() => delivery.settle())));
    return { fingerprint: opened.fingerprint, signed };
  } finally {
    await opened.close();
  }
}

function openPackage(
  inputs: PushSetInputs,
  deliveries: readonly Delivery[],
  context: OperationContext,
): Promise<ImagePackage> {
  const { source, digests = {}, spoolDir, maxDecodedBytes, signature } = inputs;
  const options: OpenOptions = {
    ...(spoolDir === undefined ? {} : { spoolDir }),
    ...(maxDecodedBytes === undefined ? {} : { maxDecodedBytes }),
    ...signatureOption(signature),
    signal: context.signal,
    readSoon: true,
  };
  const mirrors = deliveries.map(({ registry }) => registry);
  const signatures = inputs.requireSigned !== undefined;
  return openSources(sourcesOf(source), digests, options, context, { mirrors, signatures });
}

async function bringProbes(
  { probeRepository }: PushSetInputs,
  entries: readonly RegistryEntry[],
  deliveries: readonly Delivery[],
  context: OperationContext,
): Promise<void> {
  if (probeRepository !== false) {
    await bringProbe(entries, deliveries, probeRepository, context);
    return;
  }
  for (const delivery of deliveries) {
    delivery.probe = undefined;
  }
}

/** What the state keeps of a registry after a push. */
function stateAfter(delivery: Delivery, { fingerprint, signed }: PushedPackage): RegistryState {
  const { connection, entry, failure, result, probe, record, former } = delivery;
  const failures = failureLines(delivery);
  const images: PushedImage[] =
    result === undefined ? (entry.before?.images ?? []) : [...withSigned(result.images, signed), ...result.kept];
  const isComplete = failure === undefined && failures.length === 0;
  return stateOf(connection.endpoint, {
    images,
    probe,
    record,
    former,
    fingerprint: isComplete ? fingerprint : undefined,
    failures: isComplete ? undefined : failures,
    drift: undefined,
    // What was not pushed is as damaged as it was.
    damaged: result === undefined ? entry.before?.damaged : undefined,
  });
}

function failureLines({ failure, result }: Delivery): string[] {
  return [
    ...(result?.failures ?? []).map(({ source, error }) => `${source}: ${textWithCode(error)}`),
    ...(failure === undefined ? [] : [textWithCode(failure)]),
  ];
}

/**
 * The error of a push after which there is nothing that the state does not say already: of a push set with one registry,
 * whatever ends its push; of several, when each of them failed and nothing is anywhere.
 */
function throwWhatLeavesNothing(
  inputs: PushSetInputs,
  olds: PushSetOutputs | undefined,
  deliveries: readonly Delivery[],
): void {
  const [only] = deliveries;
  if (only?.failure !== undefined && !Array.isArray(inputs.registry)) {
    throw only.failure;
  }
  const nothing = deliveries.every(({ failure, result }) => failure !== undefined && result === undefined);
  const failure = olds === undefined && nothing ? failureOf(inputs, deliveries) : undefined;
  if (failure !== undefined) {
    throw failure;
  }
}

/** What could not be pushed or deleted; undefined when all is well. */
function failureOf({ registry }: PushSetInputs, deliveries: readonly Delivery[]): MirrorError | undefined {
  const failed = deliveries.filter((one) => failureLines(one).length > 0);
  const [first] = failed;
  if (first === undefined) {
    return undefined;
  }
  if (!Array.isArray(registry)) {
    const { result, connection } = first;
    const said = incompleteness(result as PushResult, connection.endpoint);
    return new MirrorError(
      "PUSH_INCOMPLETE",
      `${said}; the others are there, and the next pulumi up does only what is missing.`,
      { reasons: failureLines(first) },
    );
  }
  const said = failed.map(({ failure, result, connection }) =>
    failure === undefined && result !== undefined
      ? incompleteness(result, connection.endpoint)
      : `the push to ${connection.endpoint} did not get through`,
  );
  return new MirrorError(
    "PUSH_INCOMPLETE",
    `${failed.length} of ${registry.length} registries: ${said.join("; ")}. The other registries and images are done, and the next pulumi up does only what is missing.`,
    { reasons: failed.flatMap((one) => failureLines(one).map((line) => `${one.connection.endpoint}: ${line}`)) },
  );
}

function incompleteness({ images, failures }: PushResult, endpoint: string): string {
  const deletes = failures.filter(({ deleting }) => deleting === true).length;
  const pushes = failures.length - deletes;
  const said = [
    ...(pushes > 0 ? [`${pushes} of ${images.length + pushes} images could not be pushed to ${endpoint}`] : []),
    ...(deletes > 0 ? [`${deletes} dropped images could not be deleted from ${endpoint}`] : []),
  ];
  return said.join(", and ");
}

/** How much went to each registry, and which images that changed; what is the same for several is said once. */
function logImages(
  inputs: PushSetInputs,
  entries: readonly RegistryEntry[],
  deliveries: readonly Delivery[],
  context: OperationContext,
): void {
  const changed = new Map<string, string[]>();
  for (const { connection, entry, result } of deliveries) {
    if (result === undefined) {
      continue;
    }
    const { stats, images } = result;
    context.log.info(
      `${images.length} ${images.length === 1 ? "image" : "images"} in ${connection.endpoint}: ${stats.blobsSent} blobs (${stats.bytesSent} bytes) sent, ${stats.blobsMounted} mounted, ${stats.blobsPresent} there already`,
    );
    const changes = imageChanges(entry.before?.images ?? [], images);
    if (isChange(changes)) {
      const text = describeImages(changes, (source) => describeOutcome(source, result, inputs)).join("\n");
      changed.set(text, [...(changed.get(text) ?? []), connection.endpoint]);
    }
  }
  for (const [text, endpoints] of changed) {
    context.log.info(endpoints.length === entries.length ? text : `${endpoints.join(", ")}: ${text}`);
  }
}

/** What became of an image that this push set no longer names. */
function describeOutcome(
  source: string,
  { deleted, left, kept, failures }: PushResult,
  { prune }: PushSetInputs,
): string {
  const reason = left.find(({ name }) => name === source)?.reason;
  if (reason !== undefined) {
    return `stays in the registry: ${reason}`;
  }
  if (deleted.includes(source)) {
    return "deleted from the registry";
  }
  const named = (one: { source: string }): boolean => one.source === source;
  if (kept.some(named) && failures.some(named)) {
    return "failed: the registry keeps what it had";
  }
  return prune === undefined ? "stays in the registry" : "no longer declared";
}
