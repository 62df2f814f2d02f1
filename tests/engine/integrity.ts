import type { ResourceState } from "./state";
import { isProviderType, parseProviderReference } from "./urn";

/**
 * The real engine refuses to work with a state in which a resource stands before something it needs, so the test engine
 * must never write one nor accept one.
 *
 * @throws naming the first resource that breaks the order.
 */
export function checkIntegrity(resources: ResourceState[]): void {
  const seen = new Map<string, ResourceState[]>();
  const providers = new Set<string>();
  const need = (state: ResourceState, what: string, urn: string) => {
    if (urn !== "" && !seen.has(urn)) throw new Error(`snapshot integrity failure; refusing to use it: resource ${state.urn} ${what} ${urn}`);
  };
  for (const state of resources) {
    if (state.provider !== "") {
      const { urn, id } = parseProviderReference(state.provider);
      if (!providers.has(`${urn}::${id}`)) need(state, "refers to unknown provider", `${urn}::${id}`);
    } else if (state.custom && !isProviderType(state.type)) {
      throw new Error(`snapshot integrity failure; refusing to use it: custom resource ${state.urn} has no provider`);
    }
    need(state, "refers to missing parent", state.parent);
    for (const urn of state.dependencies) need(state, "dependency refers to missing resource", urn);
    for (const urns of Object.values(state.propertyDependencies)) {
      for (const urn of urns) need(state, "property dependency refers to missing resource", urn);
    }
    need(state, "is specified as being deleted with missing resource", state.deletedWith);
    const same = seen.get(state.urn) ?? [];
    if (!state.delete && same.some((other) => !other.delete)) {
      throw new Error(`snapshot integrity failure; refusing to use it: duplicate resource ${state.urn} (not marked for deletion)`);
    }
    seen.set(state.urn, [...same, state]);
    if (isProviderType(state.type)) providers.add(`${state.urn}::${state.id}`);
  }
}

/**
 * Renamed resources: whoever still refers to one by a name it had before gets the new name. Changes the states in place.
 */
export function resolveAliases(resources: ResourceState[]): void {
  const renamed = new Map<string, string>();
  for (const state of resources) for (const alias of state.aliases) renamed.set(alias, state.urn);
  if (renamed.size === 0) return;
  const now = (urn: string) => renamed.get(urn) ?? urn;
  for (const state of resources) {
    state.aliases = [];
    state.parent = now(state.parent);
    state.dependencies = state.dependencies.map(now);
    state.replaceWith = state.replaceWith.map(now);
    state.deletedWith = now(state.deletedWith);
    for (const [key, urns] of Object.entries(state.propertyDependencies)) state.propertyDependencies[key] = urns.map(now);
    if (state.provider !== "") {
      const { urn, id } = parseProviderReference(state.provider);
      state.provider = `${now(urn)}::${id}`;
    }
  }
}

/**
 * Takes out references to resources that a refresh found gone; a child of a gone parent moves up to the parent's parent.
 * Changes the states in place.
 */
export function repairReferences(resources: ResourceState[]): void {
  const present = new Set<string>();
  const parents = new Map<string, string>();
  for (const state of resources) {
    const kept = (urns: string[]) => urns.filter((urn) => present.has(urn));
    state.dependencies = kept(state.dependencies);
    state.replaceWith = kept(state.replaceWith);
    for (const [key, urns] of Object.entries(state.propertyDependencies)) state.propertyDependencies[key] = kept(urns);
    if (!present.has(state.deletedWith)) state.deletedWith = "";
    // Components are never gone by a refresh, so one step up is always enough; custom parents may be.
    if (state.parent !== "" && !present.has(state.parent)) state.parent = parents.get(state.parent) ?? "";
    parents.set(state.urn, state.parent);
    present.add(state.urn);
  }
}
