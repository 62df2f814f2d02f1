import type { DeploymentContext } from "./deploymentContext";
import { diagnostic } from "./diagnostics";
import type { Goal } from "./goal";
import { ignoringChanges } from "./providerDiff";
import type { ResourceState } from "./state";
import { isProviderType, parseUrn } from "./urn";
import { Secret, isMap, type Value, type ValueMap } from "./value";

export interface CheckSubject {
  /** The resource before; undefined for a new one. */
  old: ResourceState | undefined;
  /** It was deleted earlier in this deployment, so nothing may be taken over from it. */
  recreating: boolean;
  targeted: boolean;
}

/**
 * Lets the provider check and complete the inputs, which `fresh` then has.
 *
 * @returns false when it refused them; the user has been told.
 */
export async function checkInputs(context: DeploymentContext, goal: Goal, fresh: ResourceState, { old, recreating, targeted }: CheckSubject): Promise<boolean> {
  if (!goal.custom || isProviderType(goal.type)) return true;
  if (!targeted) {
    fresh.inputs = old?.inputs ?? {};
    return true;
  }
  if (old === undefined || recreating || old.external) return callCheck(context, fresh, {}, goal.properties);
  return callCheck(context, fresh, old.inputs, ignoringChanges(context, fresh, old.inputs, goal.properties));
}

export async function callCheck(context: DeploymentContext, fresh: ResourceState, olds: ValueMap, news: ValueMap): Promise<boolean> {
  const provider = await context.providers.get(fresh.provider);
  const { inputs, failures } = await provider.check(fresh.urn, olds, news, context.preview);
  fresh.inputs = inputs;
  const { name } = parseUrn(fresh.urn);
  for (const { property, reason } of failures) {
    // The real engine prints the value of a named property, a secret's too: this one must not look safer than it is.
    const message =
      property === ""
        ? `${fresh.type} resource '${name}' has a problem: ${reason}`
        : `${fresh.type} resource '${name}': property ${property} value ${goFormat(inputs[property])} has a problem: ${reason}`;
    context.report(diagnostic("error", fresh.urn, message));
  }
  return failures.length === 0;
}

/** A property value as Go prints it with %v. */
function goFormat(value: Value | undefined): string {
  if (value === undefined || value === null) return "{<nil>}";
  if (value instanceof Secret) return `{&{${goFormat(value.element)}}}`;
  if (Array.isArray(value)) return `{[${value.map(goFormat).join(" ")}]}`;
  if (isMap(value)) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{map[${entries.map(([key, item]) => `${key}:${goFormat(item)}`).join(" ")}]}`;
  }
  return `{${String(value)}}`;
}
