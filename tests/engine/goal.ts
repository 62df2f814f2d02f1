import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb";
import { fromJson, fromStruct } from "./marshal";
import type { Value, ValueMap } from "./value";
import { isProviderType, packageOf, dynamicPackage } from "./urn";

/** What a program says it wants: one registration, read from the request. */
export interface Goal {
  type: string;
  name: string;
  custom: boolean;
  parent: string;
  properties: ValueMap;
  dependencies: string[];
  propertyDependencies: Record<string, string[]>;
  /** undefined: not said, so inherited from the parent. */
  protect: boolean | undefined;
  retainOnDelete: boolean | undefined;
  deletedWith: string;
  replaceWith: string[];
  replacementTrigger: Value;
  /** undefined: as the provider says. */
  deleteBeforeReplace: boolean | undefined;
  ignoreChanges: string[];
  replaceOnChanges: string[];
  additionalSecretOutputs: string[];
  aliases: GoalAlias[];
  hooks: Record<string, string[]>;
  /** Set by the engine: who manages it. */
  provider: string;
}

export type GoalAlias =
  | { urn: string }
  | { name: string; type: string; stack: string; project: string; parent: string | undefined; noParent: boolean };

/** A request that the test engine does not carry out, though the real one might. */
export class Unsupported extends Error {
  override name = "Unsupported";
}

/** @throws {@link Unsupported} naming the option. */
export function readGoal(request: RegisterResourceRequest): Goal {
  const type = request.getType();
  const name = request.getName();
  const refuse = (what: string): never => {
    throw new Unsupported(`${type} ${JSON.stringify(name)}: the test engine does not support ${what}`);
  };
  if (request.getRemote()) refuse("remote components");
  if (request.getCustom()) {
    if (type.split(":").length !== 3) throw new Error(`Type '${type}' is not a valid type token (must have format '*:*:*')`);
    if (isProviderType(type)) refuse("explicit provider resources");
    if (packageOf(type) !== dynamicPackage) refuse(`the package ${JSON.stringify(packageOf(type))}, only dynamic resources`);
    if (request.getProvider() !== "") refuse("the provider option");
  }
  if (request.getImportid() !== "") refuse("the import option; dynamic resources cannot be imported by the real engine either");
  if (request.getTransformsList().length > 0) refuse("transforms");
  if (request.getStateMigrationsList().length > 0) refuse("state migrations");
  if (request.getHidediffsList().length > 0) refuse("hideDiffs");

  const propertyDependencies: Record<string, string[]> = {};
  for (const [key, dependencies] of request.getPropertydependenciesMap().entries()) propertyDependencies[key] = dependencies.getUrnsList();
  const properties = fromStruct(request.getObject(), name, "keep");
  if (Object.keys(propertyDependencies).length === 0) {
    for (const key of Object.keys(properties)) propertyDependencies[key] = request.getDependenciesList();
  }
  const trigger = request.getReplacementTrigger();
  return {
    type,
    name,
    custom: request.getCustom(),
    parent: request.getParent(),
    properties,
    dependencies: request.getDependenciesList(),
    propertyDependencies,
    protect: request.hasProtect() ? request.getProtect() : undefined,
    retainOnDelete: request.hasRetainondelete() ? request.getRetainondelete() : undefined,
    deletedWith: request.getDeletedwith(),
    replaceWith: request.getReplaceWithList(),
    replacementTrigger: trigger === undefined ? null : fromJson(trigger.toJavaScript() as null, "replacementTrigger", "keep"),
    deleteBeforeReplace: request.getDeletebeforereplacedefined() || request.getDeletebeforereplace() ? request.getDeletebeforereplace() : undefined,
    ignoreChanges: request.getIgnorechangesList(),
    replaceOnChanges: request.getReplaceonchangesList(),
    additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
    aliases: readAliases(request),
    hooks: readHooks(request),
    provider: "",
  };
}

/** A child takes over what it does not say itself. */
export function inheritFrom(goal: Goal, parent: Goal): void {
  goal.protect ??= parent.protect;
  goal.retainOnDelete ??= parent.retainOnDelete;
  if (goal.deletedWith === "") goal.deletedWith = parent.deletedWith;
}

function readAliases(request: RegisterResourceRequest): GoalAlias[] {
  const urns = request.getAliasurnsList().map((urn) => ({ urn }));
  const specs = request.getAliasesList().map((alias): GoalAlias => {
    const spec = alias.getSpec();
    if (spec === undefined) return { urn: alias.getUrn() };
    return {
      name: spec.getName(),
      type: spec.getType(),
      stack: spec.getStack(),
      project: spec.getProject(),
      parent: spec.hasParenturn() ? spec.getParenturn() : undefined,
      noParent: spec.getNoparent(),
    };
  });
  return [...urns, ...specs];
}

function readHooks(request: RegisterResourceRequest): Record<string, string[]> {
  const binding = request.getHooks();
  if (binding === undefined) return {};
  const hooks = {
    BeforeCreate: binding.getBeforeCreateList(),
    AfterCreate: binding.getAfterCreateList(),
    BeforeUpdate: binding.getBeforeUpdateList(),
    AfterUpdate: binding.getAfterUpdateList(),
    BeforeDelete: binding.getBeforeDeleteList(),
    AfterDelete: binding.getAfterDeleteList(),
  };
  return Object.fromEntries(Object.entries(hooks).filter(([, names]) => names.length > 0));
}
