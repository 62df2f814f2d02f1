import type { OperationContext } from "../../model/context";
import { MirrorError, textWithCode } from "../../model/errors";
import type { Problem } from "../../model/problem";
import { problemText } from "../../model/problem";
import type { NodeConnection } from "../../node";
import type { PushedImage, PushResult } from "../../registry/push/pushResult";
import { Registry } from "../../registry/registry";
import { RegistryError } from "../../registry/registryError";
import type { FormerImage } from "../../registry/sets/formerImages";
import { formerAfter, isExpired, keyOf } from "../../registry/sets/formerImages";
import type { HeldManifests } from "../../registry/sets/heldManifests";
import type { PruneResult } from "../../registry/sets/pruneImages";
import { pruneImages } from "../../registry/sets/pruneImages";
import type { OtherRecords, RecordedImage } from "../../registry/sets/pushSetRecord";
import { readRecord } from "../../registry/sets/pushSetRecord";
import type { RecordWanted } from "./book";
import { PushSetBook } from "./book";
import type { RegistryEntry } from "./comparison";
import { askNodes, heldManifests } from "./heldByNodes";
import { countOf, describePruned } from "./pruneText";
import type { PruneWanted } from "./pruneWanted";
import type { RegistryState } from "./state";

/** Seconds for one node. */
const usualTimeout = 20;

/** A node that does not say what it has: then nothing goes. */
class NodeUnknown extends Error {
  constructor(readonly problem: Problem) {
    super(problem.text);
  }
}

/** What one registry has, as far as it is to be pruned. */
export interface PruneSubject {
  registry: Registry;
  book: PushSetBook;
  /** What is declared, and lies there. */
  images: readonly PushedImage[];
  former: readonly FormerImage[];
}

/**
 * Deletes what is out of what `prune` keeps. It never fails a push: what prevents it is a warning with the way out, and
 * the images stay this push set's, for the next time.
 *
 * @param connections How to reach the nodes; undefined where a program has not said it in this run.
 * @returns what there is of the past afterwards
 * @internal Exported for its tests.
 */
export async function prune(
  { registry, book, images, former }: PruneSubject,
  wanted: PruneWanted,
  connections: readonly NodeConnection[] | undefined,
  context: OperationContext,
): Promise<FormerImage[]> {
  const expired = former.filter((image) => isExpired(image, wanted.keep));
  const rest = former.filter((image) => !expired.includes(image));
  if (expired.length === 0) {
    return rest;
  }
  const { authority } = registry.endpoint;
  try {
    const others = readable(await book.others());
    const held = async (): Promise<HeldManifests> => {
      const { nodes, problem } = await nodesOf(wanted, connections, context);
      if (nodes === undefined) {
        throw new NodeUnknown(problem);
      }
      return heldManifests(nodes, registry.endpoint, wanted.running);
    };
    const kept = [...images, ...rest];
    const result = await pruneImages(registry, { expired, kept, recorded: book.known, others, held }, context);
    tell(result, authority, context);
    return [...rest, ...result.stays.map(stillFormer)];
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof NodeUnknown) {
      context.log.warn(nodeUnknown("pruned", authority, error.problem));
      return [...former];
    }
    if (!(error instanceof RegistryError)) {
      throw error;
    }
    context.log.warn(notPruned(authority, expired.length, error));
    return [...rest, ...expired.map((image) => refusedBy(image, error))];
  }
}

/** What the state had of a registry before a push. */
interface Before {
  images: readonly PushedImage[];
  former: readonly FormerImage[];
  /** Whether the push before was complete. */
  isSettled: boolean;
}

/**
 * After a push, as far as it is complete.
 *
 * @returns what there is of the past, and what the record is to say; `exact` where that is all of it
 */
export async function pruneAfterPush(
  { registry, book }: Pick<PruneSubject, "registry" | "book">,
  before: Before,
  { images, kept, failures, recorded }: Pick<PushResult, "images" | "kept" | "failures" | "recorded">,
  wanted: PruneWanted | undefined,
  connections: readonly NodeConnection[] | undefined,
  context: OperationContext,
): Promise<{ former?: FormerImage[]; recorded: RecordedImage[]; exact: boolean }> {
  const complete = failures.length === 0;
  if (wanted === undefined) {
    return { recorded, exact: complete };
  }
  const now = [...images, ...kept];
  const aged = formerAfter(before.former, before.images, now, { counts: before.isSettled });
  const former = complete
    ? await prune({ registry, book, images: now, former: aged }, wanted, connections, context)
    : aged;
  const past = recordedOf(book, former);
  return { former, recorded: [...recorded, ...past], exact: complete && past.length === former.length };
}

/**
 * Without a push: a node may have let go of an image, or the registry may allow what it refused. What prevents it is a
 * warning here, too.
 */
export async function pruneAlone(
  { connection, argument }: Pick<RegistryEntry, "connection" | "argument">,
  { images, former = [], record }: Pick<RegistryState, "images" | "former" | "record">,
  inputs: RecordWanted,
  connections: readonly NodeConnection[] | undefined,
  context: OperationContext,
): Promise<Pick<RegistryState, "former" | "record">> {
  const { prune: wanted } = inputs;
  if (wanted === undefined) {
    return record === undefined ? {} : { record };
  }
  if (!former.some((image) => isExpired(image, wanted.keep))) {
    return { former, ...(record === undefined ? {} : { record }) };
  }
  const registry = new Registry(connection, context, { argument });
  try {
    await registry.ping();
    const book = new PushSetBook(registry, inputs, record, context);
    await book.recordPlanned([]);
    const left = await prune({ registry, book, images, former }, wanted, connections, context);
    const known = recordedOf(book, [...images, ...left]);
    const place = await book.recordPushed(known, known.length === images.length + left.length);
    return { former: left, ...(place === undefined ? {} : { record: place }) };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof MirrorError)) {
      throw error;
    }
    context.log.warn(`nothing was pruned from ${registry.endpoint.authority}: ${textWithCode(error)}`);
    return { former, ...(record === undefined ? {} : { record }) };
  } finally {
    await registry.close();
  }
}

export const nothingHeld: HeldManifests = { digests: new Map(), names: new Map(), repositories: new Map() };

/** What nodes have; undefined, and said, where one of them does not say. */
export async function heldOrWarning(
  { endpoint }: Registry,
  wanted: PruneWanted | undefined,
  connections: readonly NodeConnection[],
  context: OperationContext,
): Promise<HeldManifests | undefined> {
  if (wanted === undefined) {
    return nothingHeld;
  }
  const { nodes, problem } = await askNodes(connections, optionsOf(wanted), context);
  if (nodes === undefined) {
    context.log.warn(nodeUnknown("deleted", endpoint.authority, problem));
    return undefined;
  }
  return heldManifests(nodes, endpoint, wanted.running);
}

/**
 * With a delete of all that a push set has: the past goes, too.
 *
 * @param spared What other push sets name, as it was read for the rest of the delete, and what nodes have.
 * @throws RegistryError `DELETE_INCOMPLETE`, `PRUNE_RECORD_UNREADABLE`
 */
export async function deleteFormer(
  registry: Registry,
  { former = [], images, record }: Pick<RegistryState, "images" | "former" | "record">,
  spared: { others: OtherRecords; held: HeldManifests },
  context: OperationContext,
): Promise<void> {
  if (former.length === 0) {
    return;
  }
  const others = readable(spared.others);
  const recorded = record === undefined ? [] : ((await readRecord(registry, record))?.images ?? []);
  const request = { expired: former, kept: images, recorded, others, held: () => Promise.resolve(spared.held) };
  const result = await pruneImages(registry, request, context);
  const failures = result.stays.flatMap((stay) =>
    stay.kind === "failed" ? [`${stay.image.source}: ${textWithCode(stay.error)}`] : [],
  );
  const { authority } = registry.endpoint;
  if (failures.length > 0) {
    throw new RegistryError(
      "DELETE_INCOMPLETE",
      `${failures.length} of ${former.length} earlier images could not be deleted from ${authority}: ${failures[0] as string}`,
      { reasons: failures },
    );
  }
  context.log.info(
    [`${countOf(result.pruned.length)} deleted from ${authority}`, ...describePruned(result)].join("\n"),
  );
}

/** What the record says of images, of those that it knows. */
function recordedOf(book: PushSetBook, images: readonly Pick<FormerImage, "source" | "digest">[]): RecordedImage[] {
  const wanted = new Set(images.map(keyOf));
  return book.known.filter((image) => wanted.has(keyOf(image)));
}

/** Asked anew for each prune. */
export async function nodesOf(
  wanted: PruneWanted,
  connections: readonly NodeConnection[] | undefined,
  context: OperationContext,
): ReturnType<typeof askNodes> {
  if (connections?.length !== (wanted.nodes ?? []).length) {
    const text = "prune.nodes: how to reach the nodes is not known in this run; run pulumi up again.";
    return { problem: { code: "UNEXPECTED", text } };
  }
  return askNodes(connections, optionsOf(wanted), context);
}

function optionsOf({ layout, timeout = usualTimeout }: PruneWanted): Parameters<typeof askNodes>[1] {
  return { timeout, ...(layout === undefined ? {} : { layout }) };
}

function nodeUnknown(what: "pruned" | "deleted", authority: string, problem: Problem): string {
  return (
    `nothing was ${what} from ${authority}, because it is not known what a node runs: ${problemText(problem)} ` +
    "The next pulumi up asks again; a node that is gone for good is to be taken out of prune.nodes."
  );
}

/** @throws RegistryError `PRUNE_RECORD_UNREADABLE` */
export function readable(others: OtherRecords): OtherRecords {
  const [first] = others.unreadable;
  if (first !== undefined) {
    throw new RegistryError(
      "PRUNE_RECORD_UNREADABLE",
      `${first}: this record of another push set cannot be read, so nobody can tell what that one has. ` +
        "Run its program with this version; where it is gone for good, delete that tag.",
    );
  }
  return others;
}

/** Codes that are about the registry and not about one image. */
const ofTheRegistry = [
  "REGISTRY_DELETE_DISABLED",
  "REGISTRY_DENIED",
  "REGISTRY_UNAUTHORIZED",
  "REGISTRY_NO_TAG_LIST",
  "PRUNE_RECORD_UNREADABLE",
];

/** Whether it says why this registry lets nothing go, and not one image. */
export function isOfTheRegistry(code: string): boolean {
  return ofTheRegistry.includes(code);
}

/** What passes by itself is tried again by the next `up`; what somebody has to change first is remembered. */
function refusedBy({ refused: _before, ...image }: FormerImage, error: Error): FormerImage {
  const lasts = error instanceof MirrorError && (isOfTheRegistry(error.code) || error.code === "REGISTRY_REFUSED");
  return lasts ? { ...image, refused: error.code } : image;
}

function stillFormer(stay: PruneResult["stays"][number]): FormerImage {
  const { refused: _refused, part: _part, ...image } = stay.image;
  switch (stay.kind) {
    case "node":
      return stay.part === undefined ? image : { ...image, part: stay.part };
    case "same":
      return image;
    case "failed":
      return refusedBy(image, stay.error);
  }
}

function tell(result: PruneResult, authority: string, { log }: OperationContext): void {
  const refusals = new Set(
    result.stays.flatMap((stay) =>
      stay.kind === "failed" && stay.error instanceof MirrorError && isOfTheRegistry(stay.error.code)
        ? [stay.error]
        : [],
    ),
  );
  for (const error of refusals) {
    const count = result.stays.filter((stay) => stay.kind === "failed" && stay.error === error).length;
    log.warn(notPruned(authority, count, error));
  }
  const stays = result.stays.filter((stay) => stay.kind !== "failed" || !refusals.has(stay.error as MirrorError));
  const lines = describePruned({ ...result, stays });
  if (lines.length > 0) {
    const failed = stays.some(({ kind }) => kind === "failed");
    log[failed ? "warn" : "info"]([`${countOf(result.pruned.length)} pruned from ${authority}`, ...lines].join("\n"));
  }
}

export function notPruned(authority: string, count: number, error: Error): string {
  return `${countOf(count)} ${count === 1 ? "stays" : "stay"} in ${authority} although prune does not keep ${count === 1 ? "it" : "them"}: ${textWithCode(error)} The next pulumi up tries again once that is changed.`;
}
