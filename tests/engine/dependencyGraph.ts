import type { ResourceState } from "./state";
import { parseProviderReference } from "./urn";

/** Everything a resource refers to, except its parent and its provider. */
export function referencesOf(state: ResourceState): string[] {
  return [
    ...state.dependencies,
    ...Object.values(state.propertyDependencies).flat(),
    ...(state.deletedWith === "" ? [] : [state.deletedWith]),
    ...state.replaceWith,
  ];
}

/** Who needs whom, among resources listed so that each stands after what it needs. */
export class DependencyGraph {
  private readonly index = new Map<ResourceState, number>();
  private readonly byUrn = new Map<string, number[]>();
  private readonly children = new Map<string, number[]>();

  constructor(private readonly resources: ResourceState[]) {
    resources.forEach((state, at) => {
      this.index.set(state, at);
      append(this.byUrn, state.urn, at);
      if (state.parent !== "") append(this.children, state.parent, at);
    });
  }

  contains(state: ResourceState): boolean {
    return this.index.has(state);
  }

  /** Those that need the resource, directly or not, each after what it needs. Children do not count by being children. */
  dependingOn(state: ResourceState, ignore: ReadonlySet<string>): ResourceState[] {
    const dependents: ResourceState[] = [];
    const urns = new Set([state.urn]);
    for (const candidate of this.resources.slice(this.at(state) + 1)) {
      if (ignore.has(candidate.urn)) continue;
      const provider = candidate.provider === "" ? "" : parseProviderReference(candidate.provider).urn;
      if (!urns.has(provider) && !referencesOf(candidate).some((urn) => urns.has(urn))) continue;
      dependents.push(candidate);
      urns.add(candidate.urn);
    }
    return dependents;
  }

  /** Those the resource needs directly: provider, parent, references, and the children of a component it refers to. */
  dependenciesOf(state: ResourceState): Set<ResourceState> {
    const at = this.at(state);
    const found = new Set<ResourceState>();
    const add = (number: number) => {
      const other = this.resources[number];
      if (other !== undefined && number < at) found.add(other);
    };
    const urns = new Set(referencesOf(state));
    if (state.provider !== "") urns.add(parseProviderReference(state.provider).urn);
    for (const urn of urns) {
      for (const number of this.byUrn.get(urn) ?? []) {
        if (number >= at) continue;
        add(number);
        // Who needs a component needs what it is made of.
        if (this.resources[number]?.custom === false) for (const child of this.descendants(urn)) add(child);
      }
    }
    for (const number of this.byUrn.get(state.parent) ?? []) add(number);
    return found;
  }

  private descendants(urn: string): Set<number> {
    const found = new Set<number>();
    const waiting = [urn];
    for (let parent = waiting.pop(); parent !== undefined; parent = waiting.pop()) {
      for (const number of this.children.get(parent) ?? []) {
        if (found.has(number)) continue;
        found.add(number);
        const child = this.resources[number];
        if (child !== undefined) waiting.push(child.urn);
      }
    }
    return found;
  }

  private at(state: ResourceState): number {
    const at = this.index.get(state);
    if (at === undefined) throw new Error(`${state.urn} is not part of the dependency graph`);
    return at;
  }
}

/**
 * Groups resources to be deleted: those of one group may go at the same time, and a group begins when the one before
 * it is done. What others need comes last.
 */
export function deletionOrder(condemned: ResourceState[], graph: DependencyGraph): ResourceState[][] {
  const pool = new Set(condemned);
  const depths = new Map<ResourceState, number>();
  const depthOf = (state: ResourceState): number => {
    const known = depths.get(state);
    if (known !== undefined) return known;
    let depth = 0;
    for (const needed of graph.dependenciesOf(state)) if (pool.has(needed)) depth = Math.max(depth, depthOf(needed) + 1);
    depths.set(state, depth);
    return depth;
  };
  const groups: ResourceState[][] = [];
  for (const state of condemned) (groups[depthOf(state)] ??= []).push(state);
  return groups.reverse();
}

function append(map: Map<string, number[]>, key: string, value: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
