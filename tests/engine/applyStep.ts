import { randomUUID } from "node:crypto";
import { diagnostic } from "./diagnostics";
import type { DeploymentContext } from "./deploymentContext";
import { diffResource, plainDiff } from "./providerDiff";
import type { ProviderDiff } from "./providerProcess";
import { ProviderFailure } from "./providerFailure";
import type { ResourceState } from "./state";
import type { Step } from "./step";
import { isProviderType } from "./urn";
import { Secret } from "./value";

/** What became of a step. */
export interface StepOutcome {
  /** "partial": the resource exists, but not as wanted; "unknown": nobody knows. */
  status: "ok" | "partial" | "unknown";
  error: Error | undefined;
}

const fine: StepOutcome = { status: "ok", error: undefined };

export interface ApplyOptions {
  /** Whether another resource is deleted in this deployment too. */
  isBeingDeleted(urn: string): boolean;
  /** Tells of a failure that does not undo the step, such as a hook's after it. */
  afterStep(error: Error): void;
}

/** Carries one step out: calls the provider, and changes the step's states accordingly. */
export async function applyStep(context: DeploymentContext, step: Step, options: ApplyOptions): Promise<StepOutcome> {
  try {
    return await apply(context, step, options);
  } catch (error) {
    if (!(error instanceof ProviderFailure)) return { status: "ok", error: error as Error };
    return { status: error.partial === undefined ? (error.stateKnown ? "ok" : "unknown") : "partial", error };
  }
}

async function apply(context: DeploymentContext, step: Step, options: ApplyOptions): Promise<StepOutcome> {
  const { old, fresh } = step;
  switch (step.op) {
    case "same":
      if (old !== undefined && fresh !== undefined) same(context, step, old, fresh);
      return fine;
    case "create":
    case "create-replacement":
      return create(context, step, required(fresh), options);
    case "update":
      return update(context, required(old), required(fresh), options);
    case "delete":
    case "delete-replaced":
    case "discard":
    case "discard-replaced":
      return remove(context, step, required(old), options);
    case "read":
    case "read-replacement":
      return read(context, step, required(fresh));
    case "refresh":
      return refresh(context, step, required(old));
    case "replace":
    case "remove-pending-replace":
      return fine;
  }
}

function same(context: DeploymentContext, step: Step, old: ResourceState, fresh: ResourceState): void {
  fresh.id = old.id;
  fresh.outputs = old.outputs;
  [fresh.created, fresh.modified] = [old.created, old.modified];
  if (isProviderType(fresh.type) && step.skippedCreate !== true) {
    // A provider whose changed inputs made no difference goes on working with the old ones.
    context.providers.configure(`${fresh.urn}::${fresh.id}`, old.inputs);
  }
}

async function create(context: DeploymentContext, step: Step, fresh: ResourceState, options: ApplyOptions): Promise<StepOutcome> {
  await context.hooks.run("BeforeCreate", undefined, fresh);
  let failure: ProviderFailure | undefined;
  if (isProviderType(fresh.type)) {
    fresh.id = context.preview ? unknownProviderId : randomUUID();
    fresh.outputs = fresh.inputs;
    context.providers.configure(`${fresh.urn}::${fresh.id}`, fresh.inputs);
  } else if (fresh.custom && context.preview) {
    // The provider is not asked in a preview; what it was given stands for what it will give.
    fresh.outputs = { ...fresh.inputs };
  } else if (fresh.custom) {
    const provider = await context.providers.get(fresh.provider);
    try {
      const { id, outputs } = await provider.create(fresh);
      [fresh.id, fresh.outputs] = [id, outputs];
    } catch (error) {
      if (!(error instanceof ProviderFailure) || error.partial === undefined) throw error;
      failure = error;
      fresh.id = error.partial.id;
      fresh.outputs = error.partial.outputs;
      fresh.initErrors = error.partial.reasons;
    }
  }
  fresh.created = fresh.modified = new Date().toISOString();
  if (step.old !== undefined && step.deleteOldLater === true) step.old.delete = true;
  if (failure !== undefined) return { status: "partial", error: failure };
  if (fresh.custom) await afterHook(context, "AfterCreate", undefined, fresh, options);
  return fine;
}

/** In a preview a new provider has no id yet; references to it carry this text, as in the real engine. */
const unknownProviderId = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

async function update(context: DeploymentContext, old: ResourceState, fresh: ResourceState, options: ApplyOptions): Promise<StepOutcome> {
  fresh.id = old.id;
  [fresh.created, fresh.modified] = [old.created, old.modified];
  await context.hooks.run("BeforeUpdate", old, fresh);
  let failure: ProviderFailure | undefined;
  if (isProviderType(fresh.type)) {
    fresh.outputs = fresh.inputs;
    context.providers.configure(`${fresh.urn}::${fresh.id}`, fresh.inputs);
  } else if (fresh.custom && context.preview) {
    fresh.outputs = { ...fresh.inputs };
  } else if (fresh.custom) {
    const provider = await context.providers.get(fresh.provider);
    try {
      fresh.outputs = (await provider.update(fresh, old)).outputs;
    } catch (error) {
      if (!(error instanceof ProviderFailure) || error.partial === undefined) throw error;
      failure = error;
      fresh.outputs = error.partial.outputs;
      fresh.initErrors = error.partial.reasons;
    }
    fresh.modified = new Date().toISOString();
  }
  if (failure !== undefined) return { status: "partial", error: failure };
  if (fresh.custom) await afterHook(context, "AfterUpdate", old, fresh, options);
  return fine;
}

async function remove(context: DeploymentContext, step: Step, old: ResourceState, options: ApplyOptions): Promise<StepOutcome> {
  await context.hooks.run("BeforeDelete", old, undefined);
  if (step.op === "delete" && old.protect) throw new ProtectedResource(old.urn);
  const gone = old.external || old.retainOnDelete || (old.deletedWith !== "" && options.isBeingDeleted(old.deletedWith));
  if (!context.preview && old.custom && !gone && !isProviderType(old.type)) {
    await (await context.providers.get(old.provider)).delete(old);
  }
  // Only now: a failed delete has to be tried again by the next run.
  if (step.createNewLater === true) old.pendingReplacement = true;
  await afterHook(context, "AfterDelete", old, undefined, options);
  return fine;
}

/** A protected resource is not deleted. Others still are, so that all such refusals show in one run. */
export class ProtectedResource extends Error {
  override name = "ProtectedResource";
  constructor(urn: string) {
    super(
      `resource ${JSON.stringify(urn)} cannot be deleted\nbecause it is protected. To unprotect the resource, either remove the ` +
        "`protect` flag from the resource in your Pulumi program and run `pulumi up`, or use the command:\n" +
        `\`pulumi state unprotect '${urn}'\``,
    );
  }
}

async function read(context: DeploymentContext, step: Step, fresh: ResourceState): Promise<StepOutcome> {
  const found = await (await context.providers.get(fresh.provider)).read(fresh);
  if (found.id === "") throw new Error(`resource '${fresh.id}' does not exist`);
  fresh.id = found.id;
  fresh.outputs = found.outputs;
  if (step.op === "read-replacement" && step.old !== undefined) step.old.delete = true;
  fresh.created = step.old?.created ?? "";
  fresh.modified = step.old?.modified ?? "";
  return fine;
}

async function refresh(context: DeploymentContext, step: Step, old: ResourceState): Promise<StepOutcome> {
  step.refreshedAs = "same";
  step.fresh = old;
  if (!old.custom || isProviderType(old.type) || old.pendingReplacement) return fine;
  const provider = await context.providers.get(old.provider);
  let found;
  let initErrors: string[] = [];
  try {
    found = await provider.read(old);
  } catch (error) {
    if (!(error instanceof ProviderFailure) || error.partial === undefined) throw error;
    found = { id: error.partial.id, outputs: error.partial.outputs, inputs: error.partial.inputs };
    initErrors = error.partial.reasons;
    context.report(diagnostic("warning", old.urn, `Refreshed resource is in an unhealthy state:\n* ${initErrors.join("\n* ")}`));
  }
  if (found.id === "") {
    step.refreshedAs = "delete";
    step.fresh = undefined;
    return fine;
  }
  const fresh: ResourceState = { ...old, id: found.id, initErrors, inputs: found.inputs ?? old.inputs, outputs: found.outputs };
  step.fresh = fresh;
  // What would an update change back? Shown the other way round: what has changed from the state to what was found.
  const diff: ProviderDiff = old.external
    ? plainDiff("some")
    : await diffResource(context, fresh, { inputs: fresh.inputs, outputs: found.outputs }, old.inputs, context.preview);
  step.detailed = diff.detailed?.map(({ path, kind }) => ({ path, kind: kind === "add" ? "delete" : kind === "delete" ? "add" : "update" }));
  step.refreshedAs = diff.changes === "none" ? "same" : "update";
  if (step.refreshedAs === "update") fresh.modified = new Date().toISOString();
  return fine;
}

async function afterHook(
  context: DeploymentContext,
  moment: "AfterCreate" | "AfterUpdate" | "AfterDelete",
  old: ResourceState | undefined,
  fresh: ResourceState | undefined,
  options: ApplyOptions,
): Promise<void> {
  try {
    await context.hooks.run(moment, old, fresh);
  } catch (error) {
    // The resource is as it should be, so the state must say so; the deployment fails all the same.
    context.report(diagnostic("error", (fresh ?? old)?.urn ?? "", (error as Error).message));
    options.afterStep(error as Error);
  }
}

/** An output under the name of a secret input, or named in additionalSecretOutputs, is a secret. */
export function markSecretOutputs(context: DeploymentContext, state: ResourceState): void {
  if (state.outputs === undefined) return;
  for (const key of state.additionalSecretOutputs) {
    const value = state.outputs[key];
    if (key === "id") {
      context.report(diagnostic("warning", state.urn, "The 'id' property cannot be made secret. See pulumi/pulumi#2717 for more details."));
    } else if (value !== undefined && !(value instanceof Secret)) state.outputs[key] = new Secret(value);
  }
  for (const [key, value] of Object.entries(state.outputs)) {
    if (!(value instanceof Secret) && state.inputs[key] instanceof Secret) state.outputs[key] = new Secret(value);
  }
}

function required(state: ResourceState | undefined): ResourceState {
  if (state === undefined) throw new Error("a step without the state it needs");
  return state;
}
