import { sameValue } from "../../pulumi/plainValue";
import type { RegistryConnection } from "../../registry/connection";
import { connectionsOf, placeOf, placeOfKnown, registriesOf, registryArgument } from "./registries";
import { sourcesOf } from "./sources";
import type { DroppedRegistry, PushSetInputs, PushSetOutputs, RegistryState } from "./state";

/** What is compared to decide whether any argument changed. */
export function comparedInputs(inputs: PushSetInputs): unknown {
  const { source, signature, registry, spoolDir, maxDecodedBytes, check, prune } = inputs;
  const other = { registry, spoolDir, maxDecodedBytes, check, prune };
  return { ...inputsForRegistry(inputs), source: sourcesOf(source), signature, ...other };
}

/** What decides whether the registry must be touched. */
function inputsForRegistry(inputs: PushSetInputs): object {
  const { include, exclude, probeRepository, deleteImages, fingerprint, requireSigned } = inputs;
  return { include, exclude, probeRepository, deleteImages, fingerprint, requireSigned };
}

/** True when no registry need be touched: same content, same filters, nothing missing. */
export function isUpToDate(olds: PushSetOutputs, news: PushSetInputs): boolean {
  const { entries, dropped } = compareRegistries(olds, news);
  return dropped.length === 0 && entries.every(({ isSettled }) => isSettled);
}

/**
 * Whether the push set is made anew, the new one first: one registry in place of another one. A list changes in place, a
 * registry at a time.
 */
export function isReplaced(before: PushSetInputs["registry"], after: PushSetInputs["registry"]): boolean {
  if (Array.isArray(before) || Array.isArray(after)) {
    return false;
  }
  const place = placeOfKnown(after);
  return place !== undefined && place !== placeOf(before.endpoint);
}

/** A registry that a push set is to have, and what the state has of it. */
export interface RegistryEntry {
  /** What errors call it: `registry`, or `registry[1]` of a list. */
  argument: string;
  connection: RegistryConnection;
  before: RegistryState | undefined;
  /** It has all that is declared. */
  isSettled: boolean;
}

/** The registries of a change, each by its place: another way to reach the same one is the same one. */
export function compareRegistries(
  olds: PushSetOutputs | undefined,
  news: PushSetInputs,
): { entries: RegistryEntry[]; dropped: DroppedRegistry[] } {
  const had = new Map(
    (olds === undefined ? [] : heldIn(olds)).map((one) => [placeOf(one.connection.endpoint), one] as const),
  );
  const wanted = connectionsOf(news.registry).map((connection) => ({ connection, place: placeOfKnown(connection) }));
  const probe = wanted.flatMap(({ place }) => had.get(place ?? "")?.before.probe ?? [])[0];
  const [only] = had.values();
  const entries = wanted.map(({ connection, place }, at) => {
    const isOnly = place === undefined && had.size === 1 && wanted.length === 1;
    const before = (isOnly ? only : had.get(place ?? ""))?.before;
    const isSettled =
      olds !== undefined && before !== undefined && sameValue(before.probe, probe) && hasAll(olds, before, news);
    return { argument: registryArgument(news.registry, at), connection, before, isSettled };
  });
  const places = new Set(wanted.map(({ place }) => place));
  const dropped = places.has(undefined) ? [] : [...had].flatMap(([place, one]) => (places.has(place) ? [] : [one]));
  return { entries, dropped };
}

function heldIn(olds: PushSetOutputs): DroppedRegistry[] {
  const connections = connectionsOf(olds.registry);
  // What was dropped is first: one that has come back since stands among the others, too.
  return [
    ...(olds.dropped ?? []),
    ...registriesOf(olds).map((before, at) => ({ connection: connections[at] as RegistryConnection, before })),
  ];
}

function hasAll(olds: PushSetOutputs, { fingerprint, drift = [] }: RegistryState, news: PushSetInputs): boolean {
  return (
    fingerprint !== undefined &&
    fingerprint !== "" &&
    drift.length === 0 &&
    sameValue(inputsForRegistry({ ...olds, fingerprint }), inputsForRegistry(news))
  );
}

/** Which images are chosen: no list and an empty one are the same. */
export function filters({ include, exclude }: Pick<PushSetInputs, "include" | "exclude">): unknown {
  return { include: include ?? [], exclude: exclude ?? [] };
}
