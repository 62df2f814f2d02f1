import { isUnknown } from "../../pulumi/plainValue";
import type { RegistryConnection } from "../../registry/connection";
import type { RegistryEntry } from "./comparison";
import { compareRegistries } from "./comparison";
import { connectionsOf, placeOfKnown } from "./registries";
import type { PushSetInputs, PushSetOutputs } from "./state";

/** For the reviewer of a new push set: where it goes, when that is more than one place. */
export function newRegistriesNote({ registry }: PushSetInputs): string[] {
  const endpoints = connectionsOf(registry).map(shownEndpoint);
  return endpoints.length > 1 ? [`registries: ${endpoints.length}, each gets all images: ${endpoints.join(", ")}`] : [];
}

/** For the reviewer of a change: which registries it adds, drops and repairs. Nothing where it does none of that. */
export function registryNotes(olds: PushSetOutputs, news: PushSetInputs): string[] {
  if (!Array.isArray(olds.registry) && !Array.isArray(news.registry)) {
    return [];
  }
  const { entries, dropped } = compareRegistries(olds, news);
  const added = entries.filter(({ before }) => before === undefined);
  const repaired = entries.filter((entry) => lackOf(entry) !== undefined);
  const kept = entries.filter((entry) => entry.before !== undefined && lackOf(entry) === undefined);
  if (added.length + repaired.length + dropped.length === 0) {
    return [];
  }
  const counts = [
    [added.length, "added"],
    [repaired.length, "to be completed"],
    [dropped.length, "dropped"],
    [kept.length, "kept"],
  ] as const;
  const fate =
    news.deleteImages === true ? "its images are deleted, unless another push set has them" : "its images stay";
  return [
    `registries: ${counts.flatMap(([count, word]) => (count > 0 ? [`${count} ${word}`] : [])).join(", ")}`,
    ...added.map(({ connection }) => `  + ${shownEndpoint(connection)} (gets all images)`),
    ...repaired.map((entry) => `  ~ ${shownEndpoint(entry.connection)} (${lackOf(entry) ?? ""})`),
    ...dropped.map(({ connection }) => `  - ${shownEndpoint(connection)} (${fate})`),
    ...kept.map(({ connection }) => `  = ${shownEndpoint(connection)}`),
  ];
}

/** For the reviewer of a list that names the same registries in another order: it moves outputs, and sends nothing. */
export function orderNote(olds: PushSetOutputs, news: PushSetInputs): string[] {
  const before = connectionsOf(olds.registry).map(placeOfKnown);
  const after = connectionsOf(news.registry).map(placeOfKnown);
  const isSame = before.length === after.length && after.every((place, at) => place === before[at]);
  if (isSame || after.includes(undefined)) {
    return [];
  }
  const first = connectionsOf(news.registry).slice(0, 1).map(shownEndpoint).join("");
  return [`registries: another order, nothing is sent; images, probe and endpoint are those of ${first} now`];
}

/** An endpoint for people; Pulumi has a text of its own for what is not known yet. */
export function shownEndpoint({ endpoint }: Pick<RegistryConnection, "endpoint">): string {
  return isUnknown(endpoint) ? "one whose endpoint is not known yet" : endpoint;
}

/** Why a registry that has been pushed to is not complete. */
function lackOf({ before }: RegistryEntry): string | undefined {
  if (before === undefined) {
    return undefined;
  }
  if (before.drift !== undefined) {
    return `it lost, or has otherwise, ${before.drift.length} of what was pushed`;
  }
  return before.failures === undefined ? undefined : "the last push to it is not complete";
}
