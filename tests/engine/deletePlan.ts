import type { DeploymentContext } from "./deploymentContext";
import { referencesOf } from "./dependencyGraph";
import { Bail, diagnostic } from "./diagnostics";
import type { ResourceState } from "./state";
import type { Step } from "./step";
import { parseProviderReference } from "./urn";

export interface DealtWith {
  /** Whether the program has registered the resource. */
  isOperatedOn(urn: string): boolean;
  alreadyDeleted: ReadonlySet<ResourceState>;
}

/** What is left to delete when the program has registered everything; `sames`: what is kept because it is no target. */
export function planDeletes(context: DeploymentContext, { isOperatedOn, alreadyDeleted }: DealtWith): { sames: Step[]; deletes: Step[] } {
  const allowed = deletable(context);
  const sames: Step[] = [];
  const deletes: Step[] = [];
  for (const state of context.previous) {
    const { urn, external } = state;
    if (allowed !== undefined && !allowed.has(urn)) {
      if (!isOperatedOn(urn) && !state.delete) sames.push({ op: "same", urn, old: state, fresh: { ...state }, logical: true });
      continue;
    }
    const gone = { urn, old: state, fresh: undefined };
    if (state.delete) {
      if (alreadyDeleted.has(state)) continue;
      deletes.push({ op: external ? "discard-replaced" : "delete-replaced", ...gone, logical: false });
    } else if (!isOperatedOn(urn)) {
      if (state.pendingReplacement) deletes.push({ op: "remove-pending-replace", ...gone, logical: false });
      else deletes.push({ op: external ? "discard" : "delete", ...gone, logical: true });
    } else continue;
    context.providers.ensure(state.provider, context.previous);
  }
  return { sames, deletes };
}

/**
 * Deleting a target takes along what depends on it, and that must have been asked for.
 *
 * @returns whether something was refused.
 * @throws {@link Bail} outside a preview, so that nothing is deleted.
 */
export function refuseUntargeted({ targets, preview, report }: DeploymentContext, deletes: Step[]): boolean {
  if (targets === undefined || targets.dependents) return false;
  const others = deletes.filter(({ urn }) => !targets.urns.has(urn));
  for (const { urn } of others) {
    report(
      diagnostic(
        "error",
        urn,
        `Resource '${urn}' will be destroyed but was not specified in --target list.\n` +
          "Either include resource in --target list or pass --target-dependents to proceed.",
      ),
    );
  }
  if (others.length > 0 && !preview) throw new Bail("delete untargeted resource");
  return others.length > 0;
}

/** The targets and all that needs one of them; undefined: everything. */
function deletable({ targets, previous }: DeploymentContext): Set<string> | undefined {
  if (targets === undefined) return undefined;
  const found = new Set(targets.urns);
  // The list is in order of need, so one pass finds those that need a target, directly or not.
  for (const state of previous) {
    const provider = state.provider === "" ? "" : parseProviderReference(state.provider).urn;
    if ([provider, state.parent, ...referencesOf(state)].some((urn) => found.has(urn))) found.add(state.urn);
  }
  return found;
}
