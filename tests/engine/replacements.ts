import type { DeploymentContext } from "./deploymentContext";
import { applyReplaceOnChanges, diffResource, isReplacement } from "./providerDiff";
import type { ResourceState } from "./state";
import { isProviderType, parseProviderReference } from "./urn";
import { unknown, type ValueMap } from "./value";

export interface DependentReplacement {
  state: ResourceState;
  /** The properties because of which it has to be replaced. */
  keys: string[];
}

/**
 * Those that must be deleted before a resource can be replaced by deleting it first: every dependent that its provider
 * would replace if the properties that come from condemned resources changed. A dependent that would only be updated,
 * or that merely waits (dependsOn), stays.
 *
 * @param impossible resources that this deployment has already dealt with: they cannot depend on the resource any more.
 * @returns each after what it depends on.
 */
export async function dependentReplacements(context: DeploymentContext, root: ResourceState, impossible: ReadonlySet<string>): Promise<DependentReplacement[]> {
  const condemned = new Set([root.urn]);
  const found: DependentReplacement[] = [];
  for (const state of context.graph.dependingOn(root, impossible)) {
    const keys = await keysToReplace(context, state, condemned);
    if (keys === undefined) continue;
    found.push({ state, keys });
    condemned.add(state.urn);
  }
  return found;
}

/** Resources bound to another by deletedWith or replaceWith go with it. */
export function replacedAlong(context: DeploymentContext, urn: string): DependentReplacement[] {
  const bound = new Map<string, ResourceState>();
  for (const state of [...context.news.values(), ...context.olds.values()]) {
    if (!bound.has(state.urn) && (state.deletedWith === urn || state.replaceWith.includes(urn))) bound.set(state.urn, state);
  }
  return [...bound.values()].map((state) => ({ state, keys: [] }));
}

/** @returns undefined when the resource can stay. */
async function keysToReplace(context: DeploymentContext, state: ResourceState, condemned: ReadonlySet<string>): Promise<string[] | undefined> {
  if (!state.custom || state.external || isProviderType(state.type)) return undefined;
  if (condemned.has(parseProviderReference(state.provider).urn)) return [];
  if (state.deletedWith !== "" && condemned.has(state.deletedWith)) return [];
  const inputs: ValueMap = {};
  let affected = false;
  for (const [key, value] of Object.entries(state.inputs)) {
    const changes = (state.propertyDependencies[key] ?? []).some((urn) => condemned.has(urn));
    affected ||= changes;
    inputs[key] = changes ? unknown : value;
  }
  if (!affected) return undefined;
  context.providers.ensure(state.provider, context.previous);
  const diff = await diffResource(context, state, { inputs: state.inputs, outputs: state.outputs ?? {} }, inputs, true);
  const judged = applyReplaceOnChanges(diff, state.replaceOnChanges, undefined);
  return isReplacement(judged) ? judged.replaceKeys : undefined;
}
