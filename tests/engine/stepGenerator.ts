import { AliasTable } from "./aliases";
import { Bail, diagnostic } from "./diagnostics";
import type { DeploymentContext } from "./deploymentContext";
import { referencesOf } from "./dependencyGraph";
import type { Goal } from "./goal";
import { callCheck, checkInputs } from "./checkInputs";
import { planDeletes, refuseUntargeted } from "./deletePlan";
import { applyReplaceOnChanges, diffResource, inputsDiff, isReplacement, plainDiff } from "./providerDiff";
import type { ProviderDiff } from "./providerProcess";
import { dependentReplacements, replacedAlong } from "./replacements";
import { newState, type ResourceState } from "./state";
import type { Registration, Step } from "./step";
import { createUrn, isProviderType, parseProviderReference, stackType } from "./urn";
import { containsUnknowns, sameMap, sameValue, withoutSecrets, type Value } from "./value";

/**
 * Decides what is to be done about each resource: compares what the program registers with the state before.
 * One registration is dealt with at a time, in the order in which they arrive, as in the real engine.
 */
export class StepGenerator {
  /** Registered so far. */
  private readonly seen = new Set<string>();
  private readonly aliases: AliasTable;
  /** What has been decided, by URN. */
  private readonly decided = { same: new Set<string>(), create: new Set<string>(), update: new Set<string>(), replace: new Set<string>() };
  private readonly deletes = new Set<string>();
  private readonly alreadyDeleted = new Set<ResourceState>();
  private readonly dependentKeys = new Map<string, string[]>();
  private readonly skippedCreates = new Set<string>();
  private readonly targets: Set<string>;
  /** An error that did not stop the preview at once. */
  errored = false;

  constructor(private readonly context: DeploymentContext) {
    this.aliases = new AliasTable(context);
    this.targets = new Set(context.targets?.urns);
  }

  /** @throws {@link Bail} when the user has been told why not; any other error is still to be reported. */
  async generate(goal: Goal, registration: Registration): Promise<Step[]> {
    const { context } = this;
    if (goal.parent !== "" && !this.seen.has(goal.parent)) throw new Error(`could not find parent resource ${goal.parent}`);
    const urn = createUrn(context.stack, context.project, goal.parent, goal.type, goal.name);
    if (this.seen.has(urn)) this.bail(urn, `Duplicate resource URN '${urn}'; try giving it a unique name`);
    this.seen.add(urn);
    const { old, alias, valid } = this.aliases.findOld(urn, goal, this.seen);
    const fresh = stateFor(urn, goal, alias);
    const recreating = this.deletes.has(urn);
    const targeted = this.isTargeted(fresh);

    if (!(await checkInputs(context, goal, fresh, { old, recreating, targeted })) || !valid) throw new Bail(`resource ${urn} is invalid`);

    if (recreating && old !== undefined) return this.validated(this.recreate(old, fresh, registration));
    if (old?.external === true) {
      this.decided.create.add(urn);
      return this.validated([
        { op: "create-replacement", urn, old, fresh, logical: false, registration, deleteOldLater: true },
        { op: "replace", urn, old, fresh, logical: true },
      ]);
    }
    if (targeted && context.targets !== undefined) this.targets.add(urn);
    if (old !== undefined) {
      if (!targeted) return this.untouched(old, registration, urn);
      return this.validated(await this.change(goal, old, fresh, registration));
    }
    if (!targeted) {
      this.decided.same.add(urn);
      this.skippedCreates.add(urn);
      return [{ op: "same", urn, old: { ...fresh }, fresh, logical: true, registration, skippedCreate: true }];
    }
    this.decided.create.add(urn);
    return this.validated([{ op: "create", urn, old: undefined, fresh, logical: true, registration }]);
  }

  /** Whether a resource of the old state has been dealt with: what has not is deleted at the end. */
  isOperatedOn(urn: string): boolean {
    const name = this.aliases.currentName(urn);
    const { same, update, replace } = this.decided;
    return same.has(name) || update.has(name) || replace.has(name);
  }

  /** Steps for what the program no longer registers, and for what has been replaced. */
  generateDeletes(): { sames: Step[]; deletes: Step[] } {
    const plan = planDeletes(this.context, { isOperatedOn: (urn) => this.isOperatedOn(urn), alreadyDeleted: this.alreadyDeleted });
    for (const { urn } of plan.deletes) this.deletes.add(urn);
    if (refuseUntargeted(this.context, plan.deletes)) this.errored = true;
    return plan;
  }

  /** Whether a resource goes in this deployment too: who is deleted with it needs no call of its own. */
  isBeingDeleted(urn: string): boolean {
    return this.deletes.has(urn);
  }

  private recreate(old: ResourceState, fresh: ResourceState, registration: Registration): Step[] {
    const { urn } = fresh;
    this.deletes.delete(urn);
    this.decided.replace.add(urn);
    return [
      { op: "replace", urn, old, fresh, logical: true },
      { op: "create-replacement", urn, old, fresh, logical: false, registration, replaceKeys: this.dependentKeys.get(urn) },
    ];
  }

  /** The resource existed before: it stays, is updated or is replaced. */
  private async change(goal: Goal, old: ResourceState, fresh: ResourceState, registration: Registration): Promise<Step[]> {
    const { urn } = fresh;
    if (!this.context.preview && containsUnknowns(fresh.replacementTrigger)) this.bail(urn, `replacement trigger contains unknowns for ${urn}`);
    const triggered = isTriggered(old.replacementTrigger, fresh.replacementTrigger);
    const diff = applyReplaceOnChanges(triggered ? plainDiff("some") : await this.diff(old, fresh), goal.replaceOnChanges, old);
    // An earlier diff may have condemned this resource while its own was being asked for.
    if (this.deletes.has(urn)) return this.recreate(old, fresh, registration);

    if (diff.changes === "some" || old.pendingReplacement) {
      if (isReplacement(diff) || triggered || old.pendingReplacement) return this.replace(goal, old, fresh, diff, registration);
      return [this.update(old, fresh, diff, registration)];
    }
    // A resource that exists but is not right gets another chance.
    if (old.initErrors.length > 0) return [this.update(old, fresh, diff, registration)];
    this.decided.same.add(urn);
    return [{ op: "same", urn, old, fresh, logical: true, registration }];
  }

  private update(old: ResourceState, fresh: ResourceState, diff: ProviderDiff, registration: Registration): Step {
    this.decided.update.add(fresh.urn);
    return { op: "update", urn: fresh.urn, old, fresh, logical: true, registration, changedKeys: diff.changedKeys, detailed: diff.detailed };
  }

  private async diff(old: ResourceState, fresh: ResourceState): Promise<ProviderDiff> {
    if (fresh.replaceWith.some((urn) => this.decided.replace.has(urn))) return plainDiff("some", ["replaceWith"]);
    if (fresh.deletedWith !== "" && this.decided.replace.has(fresh.deletedWith)) return plainDiff("some", ["deletedWith"]);
    if (this.providerChanged(old, fresh)) return plainDiff("some", ["provider"]);
    if (!fresh.custom) return plainDiff(sameMap(old.inputs, fresh.inputs) ? "none" : "some");
    if (isProviderType(fresh.type)) return { ...plainDiff("none"), ...inputsDiff(this.context, fresh, old.inputs, fresh.inputs) };
    return diffResource(
      this.context,
      { urn: fresh.urn, id: old.id, provider: fresh.provider, ignoreChanges: fresh.ignoreChanges },
      { inputs: old.inputs, outputs: old.outputs ?? {} },
      fresh.inputs,
      this.context.preview,
    );
  }

  private providerChanged(old: ResourceState, fresh: ResourceState): boolean {
    if (old.provider === fresh.provider) return false;
    if (old.provider === "" || fresh.provider === "") return true;
    // A dynamic provider does not compare configurations, so another configuration alone replaces nothing.
    return this.aliases.currentName(parseProviderReference(old.provider).urn) !== parseProviderReference(fresh.provider).urn;
  }

  private async replace(goal: Goal, old: ResourceState, fresh: ResourceState, diff: ProviderDiff, registration: Registration): Promise<Step[]> {
    const { urn } = fresh;
    if (fresh.protect && old.protect) {
      this.refuse(
        urn,
        `unable to replace resource ${JSON.stringify(urn)}\nas it is currently marked for protection. To unprotect the resource, ` +
          "remove the `protect` flag from the resource in your Pulumi program and run `pulumi up`",
      );
    }
    this.decided.replace.add(urn);
    // The check before had the old inputs at hand; a new resource must not take anything over from them.
    if (goal.custom && !isProviderType(goal.type) && !(await callCheck(this.context, fresh, {}, goal.properties))) {
      throw new Bail(`resource ${urn} has check errors`);
    }
    const details = { replaceKeys: diff.replaceKeys, changedKeys: diff.changedKeys, detailed: diff.detailed };
    if (!(goal.deleteBeforeReplace ?? diff.deleteBeforeReplace)) {
      return [
        { op: "create-replacement", urn, old, fresh, logical: false, registration, deleteOldLater: true, ...details },
        { op: "replace", urn, old, fresh, logical: true, ...details },
      ];
    }
    return [
      ...(await this.deleteDependents(old, urn)),
      ...this.deleteNow(old),
      { op: "replace", urn, old, fresh, logical: true, ...details },
      { op: "create-replacement", urn, old, fresh, logical: false, registration, ...details },
    ];
  }

  /** Before a resource can go, those must that cannot do without it; whether they come back the program says later. */
  private async deleteDependents(old: ResourceState, urn: string): Promise<Step[]> {
    const { context } = this;
    const impossible = new Set([...Object.values(this.decided).flatMap((urns) => [...urns]), ...this.deletes]);
    const dependents = context.graph.contains(old) ? await dependentReplacements(context, old, impossible) : [];
    const steps: Step[] = [];
    for (const { state, keys } of [...dependents, ...replacedAlong(context, urn)].reverse()) {
      if (this.alreadyDeleted.has(state)) continue;
      this.dependentKeys.set(state.urn, keys);
      if (state.protect && !state.delete) {
        this.bail(
          urn,
          `unable to replace resource ${JSON.stringify(state.urn)} as part of replacing ${JSON.stringify(urn)} as it is currently marked for protection. ` +
            "To unprotect the resource, remove the `protect` flag from the resource in your Pulumi program and run `pulumi up`, or use the command:\n" +
            `\`pulumi state unprotect '${state.urn}'\``,
        );
      }
      steps.push(
        state.delete
          ? { op: "delete", urn: state.urn, old: state, fresh: undefined, logical: true }
          : { op: "delete-replaced", urn: state.urn, old: state, fresh: undefined, logical: false, createNewLater: true },
      );
      this.deletes.add(state.urn);
      this.alreadyDeleted.add(state);
    }
    context.providers.ensure(old.provider, context.previous);
    return steps;
  }

  private deleteNow(old: ResourceState): Step[] {
    // Already deleted by an earlier run that did not get to creating the new one.
    if (old.pendingReplacement) return [];
    this.deletes.add(old.urn);
    return [{ op: "delete-replaced", urn: old.urn, old, fresh: undefined, logical: false, createNewLater: true }];
  }

  private isTargeted(state: ResourceState): boolean {
    const { targets } = this.context;
    if (targets === undefined || isProviderType(state.type) || state.type === stackType) return true;
    if (this.targets.has(state.urn)) return true;
    return targets.dependents && [...referencesOf(state), state.parent].some((urn) => this.targets.has(urn));
  }

  /** Outside the targets: kept as it is, and whatever it needs before it. */
  private untouched(old: ResourceState, registration: Registration | undefined, urn: string): Step[] {
    const steps: Step[] = [];
    const visit = (state: ResourceState, of?: Registration) => {
      if (state.delete) return;
      this.seen.add(state.urn);
      this.decided.same.add(state.urn);
      this.context.providers.ensure(state.provider, this.context.previous);
      for (const needed of [state.parent, ...referencesOf(state)]) {
        if (needed === "" || this.hasStep(needed)) continue;
        const other = this.context.olds.get(needed);
        if (other === undefined) throw new Bail(`dependency ${needed} of untargeted resource ${urn} has no old state`);
        visit(other);
      }
      steps.push({ op: "same", urn: state.urn, old: state, fresh: { ...state }, logical: true, registration: of });
    };
    this.decided.same.add(urn);
    visit(old, registration);
    return steps;
  }

  private hasStep(urn: string): boolean {
    return this.deletes.has(urn) || Object.values(this.decided).some((urns) => urns.has(urn));
  }

  /** A target must not need something that is to be created but is no target itself. */
  private validated(steps: Step[]): Step[] {
    if (this.context.targets === undefined) return steps;
    for (const { urn, fresh } of steps) {
      const missing = fresh === undefined ? undefined : [fresh.parent, ...referencesOf(fresh)].find((needed) => this.skippedCreates.has(needed));
      if (missing === undefined) continue;
      this.skippedCreates.delete(missing);
      this.refuse(urn, `Resource '${urn}' depends on '${missing}' which was was not specified in --target list.`);
    }
    return steps;
  }

  /** Told in a preview, which goes on so that the rest is seen too; an update stops. */
  private refuse(urn: string, message: string): void {
    this.context.report(diagnostic("error", urn, message));
    this.errored = true;
    if (!this.context.preview) throw new Bail(message);
  }

  private bail(urn: string, message: string): never {
    this.context.report(diagnostic("error", urn, message));
    this.errored = true;
    throw new Bail(message);
  }
}

function stateFor(urn: string, goal: Goal, alias: string | undefined): ResourceState {
  return newState({
    urn,
    type: goal.type,
    custom: goal.custom,
    inputs: goal.properties,
    parent: goal.parent,
    provider: goal.provider,
    dependencies: goal.dependencies,
    propertyDependencies: goal.propertyDependencies,
    additionalSecretOutputs: goal.additionalSecretOutputs,
    protect: goal.protect ?? false,
    retainOnDelete: goal.retainOnDelete ?? false,
    deletedWith: goal.deletedWith,
    replaceWith: goal.replaceWith,
    replacementTrigger: goal.replacementTrigger,
    ignoreChanges: goal.ignoreChanges,
    replaceOnChanges: goal.replaceOnChanges,
    hooks: goal.hooks,
    aliases: alias === undefined ? [] : [alias],
  });
}

/** A changed trigger replaces; a null on either side means there is none. */
function isTriggered(old: Value, fresh: Value): boolean {
  if (containsUnknowns(old) || containsUnknowns(fresh)) return true;
  const [before, after] = [withoutSecrets(old), withoutSecrets(fresh)];
  return before !== null && after !== null && !sameValue(before, after);
}
