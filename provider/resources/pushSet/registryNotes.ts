import type { RegistryEntry } from "./comparison";
import { compareRegistries } from "./comparison";
import { connectionsOf } from "./registries";
import type { PushSetInputs, PushSetOutputs } from "./state";

/** For the reviewer of a new push set: where it goes, when that is more than one place. */
export function newRegistriesNote({ registry }: PushSetInputs): string[] {
  const endpoints = connectionsOf(registry).map(({ endpoint }) => endpoint);
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
    ...added.map(({ connection }) => `  + ${connection.endpoint} (gets all images)`),
    ...repaired.map((entry) => `  ~ ${entry.connection.endpoint} (${lackOf(entry) ?? ""})`),
    ...dropped.map(({ connection }) => `  - ${connection.endpoint} (${fate})`),
    ...kept.map(({ connection }) => `  = ${connection.endpoint}`),
  ];
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
