import type { DependencyGraph } from "./dependencyGraph";
import type { Report } from "./diagnostics";
import type { Hooks } from "./hooks";
import type { Providers } from "./providers";
import type { ResourceState } from "./state";

/** What every part of one running deployment shares. */
export interface DeploymentContext {
  readonly project: string;
  readonly stack: string;
  /** Nothing is done, only planned; values may be unknown. */
  readonly preview: boolean;
  readonly providers: Providers;
  readonly hooks: Hooks;
  readonly report: Report;
  /** Only these resources are changed; undefined: all. */
  readonly targets: Targets | undefined;
  /** The state before, in its order; a refresh changes it. */
  previous: ResourceState[];
  /** The same by URN, without those that only wait to be deleted. */
  olds: Map<string, ResourceState>;
  graph: DependencyGraph;
  /** What this deployment has registered. */
  readonly news: Map<string, ResourceState>;
}

export interface Targets {
  urns: Set<string>;
  /** Those that depend on a target are targets too. */
  dependents: boolean;
}

export function oldsOf(resources: ResourceState[]): Map<string, ResourceState> {
  return new Map(resources.filter((state) => !state.delete).map((state) => [state.urn, state]));
}
