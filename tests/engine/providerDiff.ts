import type { ProviderDiff } from "./providerProcess";
import { parsePropertyPath, pathContains } from "./propertyPath";
import { mapWithoutSecrets, type ValueMap } from "./value";
import { changedKeys, diffMaps, leavesOf } from "./valueDiff";
import type { DeploymentContext } from "./deploymentContext";
import { keepOldValues } from "./propertyPath";
import { diagnostic } from "./diagnostics";
import type { ResourceState } from "./state";

/** A difference that no provider has to be asked about. */
export function plainDiff(changes: "none" | "some", replaceKeys: string[] = []): ProviderDiff {
  return { changes, replaceKeys, changedKeys: [], detailed: undefined, deleteBeforeReplace: false };
}

/** Asks the provider; when it cannot tell, the inputs decide. */
export async function diffResource(
  context: DeploymentContext,
  subject: { urn: string; id: string; provider: string; ignoreChanges: string[] },
  old: { inputs: ValueMap; outputs: ValueMap },
  news: ValueMap,
  unknowns: boolean,
): Promise<ProviderDiff> {
  const provider = await context.providers.get(subject.provider);
  const diff = await provider.diff(subject.urn, subject.id, old, news, subject.ignoreChanges, unknowns);
  return diff.changes === "unknown" ? { ...diff, ...inputsDiff(context, subject, old.inputs, news) } : diff;
}

/** The engine's own comparison of inputs. */
export function inputsDiff(
  context: DeploymentContext,
  subject: { urn: string; ignoreChanges: string[] },
  old: ValueMap,
  news: ValueMap,
): Pick<ProviderDiff, "changes" | "changedKeys" | "detailed"> {
  const kept = ignoringChanges(context, subject, old, news);
  const diff = diffMaps(mapWithoutSecrets(old), mapWithoutSecrets(kept));
  if (diff === undefined) return { changes: "none", changedKeys: [], detailed: undefined };
  return { changes: "some", changedKeys: changedKeys(diff), detailed: leavesOf(diff) };
}

/** The new inputs, with what ignoreChanges names as it was before. */
export function ignoringChanges(context: DeploymentContext, subject: { urn: string; ignoreChanges: string[] }, old: ValueMap, news: ValueMap): ValueMap {
  const { inputs, invalid } = keepOldValues(news, old, subject.ignoreChanges);
  if (invalid.length > 0) {
    const paths = JSON.stringify(invalid.join(", "));
    context.report(diagnostic("info", subject.urn, `cannot ignore changes in added or removed elements of the path: ${paths}`));
  }
  return inputs;
}

const initErrorKey = "#initerror";

/** Turns changes of the properties that replaceOnChanges names into replacements. */
export function applyReplaceOnChanges(diff: ProviderDiff, replaceOnChanges: string[], old: ResourceState | undefined): ProviderDiff {
  const failed = (old?.initErrors.length ?? 0) > 0;
  if (diff.changes !== "some" && !failed) return diff;
  const paths = replaceOnChanges.map(parsePropertyPath);
  const named = (path: (string | number)[]) => paths.some((outer) => pathContains(outer, path));
  const replaceKeys = new Set(diff.replaceKeys);
  for (const key of diff.changedKeys) if (named([key])) replaceKeys.add(key);
  for (const { path } of diff.detailed ?? []) if (named(path)) replaceKeys.add(String(path[0]));
  const replaceFailed = failed && named([initErrorKey]);
  if (replaceFailed) replaceKeys.add(initErrorKey);
  return { ...diff, changes: replaceFailed ? "some" : diff.changes, replaceKeys: [...replaceKeys] };
}

export function isReplacement(diff: ProviderDiff): boolean {
  return diff.replaceKeys.length > 0;
}
