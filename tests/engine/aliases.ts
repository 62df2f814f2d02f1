import type { DeploymentContext } from "./deploymentContext";
import { diagnostic } from "./diagnostics";
import type { Goal, GoalAlias } from "./goal";
import type { ResourceState } from "./state";
import { createUrn, isRootStack, parseUrn } from "./urn";

/** Finds the old resource a registration continues: under its own name, or under a name it had before. */
export class AliasTable {
  /** old name -> the new name that took it over */
  private readonly takenOver = new Map<string, string>();
  /** new name -> the old name it was found under */
  private readonly found = new Map<string, string>();

  constructor(private readonly context: DeploymentContext) {}

  /** The present name of a resource of the old state. */
  currentName(urn: string): string {
    return this.takenOver.get(urn) ?? urn;
  }

  /** @returns valid: false when two registrations claim the same old resource; both have been told then. */
  findOld(urn: string, goal: Goal, seen: ReadonlySet<string>): { old: ResourceState | undefined; alias: string | undefined; valid: boolean } {
    let valid = true;
    const refuse = (message: string) => {
      valid = false;
      this.context.report(diagnostic("error", urn, message));
    };
    const claimed = this.takenOver.get(urn);
    if (claimed !== undefined) refuse(`Duplicate resource URN '${urn}' conflicting with alias on resource with URN '${claimed}'`);
    for (const name of [urn, ...this.namesBefore(goal)]) {
      const old = this.context.olds.get(name);
      if (old === undefined) continue;
      if (name === urn) return { old, alias: undefined, valid };
      const conflict = (other: string) =>
        refuse(`Duplicate resource alias '${name}' applied to resource with URN '${urn}' conflicting with resource with URN '${other}'`);
      if (seen.has(name)) conflict(urn);
      const previous = this.takenOver.get(name);
      if (previous !== undefined) conflict(previous);
      this.takenOver.set(name, urn);
      this.found.set(urn, name);
      return { old, alias: name, valid };
    }
    return { old: undefined, alias: undefined, valid };
  }

  private namesBefore(goal: Goal): string[] {
    const names = new Set(goal.aliases.map((alias) => this.resolve(goal, alias)));
    const parentBefore = goal.parent === "" ? undefined : this.found.get(goal.parent);
    if (parentBefore !== undefined) {
      // A renamed parent renames its children, whose names often begin with the parent's.
      const parentName = parseUrn(goal.parent).name;
      names.add(this.inherited(goal.type, goal.name, parentName, parentBefore));
      for (const alias of goal.aliases) {
        const { type, name } = parseUrn(this.resolve(goal, alias));
        names.add(this.inherited(type, name, parentName, parentBefore));
      }
    }
    return [...names];
  }

  private resolve(goal: Goal, alias: GoalAlias): string {
    if ("urn" in alias) return alias.urn;
    let parent = alias.parent ?? goal.parent;
    if (alias.parent !== undefined) parent = this.found.get(alias.parent) ?? alias.parent;
    if (alias.noParent || isRootStack(parent)) parent = "";
    return createUrn(alias.stack || this.context.stack, alias.project || this.context.project, parent, alias.type || goal.type, alias.name || goal.name);
  }

  private inherited(type: string, name: string, parentName: string, parentBefore: string): string {
    const before = parseUrn(parentBefore);
    const renamed = name.startsWith(parentName) ? before.name + name.slice(parentName.length) : name;
    return createUrn(this.context.stack, this.context.project, parentBefore, type, renamed);
  }
}
