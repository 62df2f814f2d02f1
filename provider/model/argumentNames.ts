import { meantBy } from "./nearest";
import { isLater } from "./outputs";
import type { Problem } from "./problem";
import { argumentsError, invalidArgument } from "./problem";

/** Which arguments there are in one place, by name, in the order in which people read of them. */
export interface ArgumentNames {
  readonly [name: string]: NamesBelow;
}

/**
 * What is known of one name. `true`: an argument, whatever its value. Names: an argument that has arguments of its own.
 * `[names]`: several such, in a list or by names of their own. `false`: let through, although it means nothing here. A
 * text: no argument here; what to do instead. Some of these depend on what stands beside the name.
 */
export type NamesBelow =
  | boolean
  | string
  | ArgumentNames
  | readonly [ArgumentNames]
  | ((beside: Readonly<Record<string, unknown>>) => boolean | string);

/** What is known later only: an output, or a promise. */
export type Later = (value: unknown, names: NamesBelow, path: string) => void;

/**
 * Arguments that there are not, at any depth: a slip of the pen would be as good as nothing given, where no compiler
 * sees it. Of the values nothing is asked here. An argument that is undefined was not given, and names that begin with
 * two underscores are Pulumi's own.
 *
 * @param later Told of each part that has names below it and is known later only.
 */
export function unknownArguments(given: unknown, names: NamesBelow, path = "", later?: Later): Problem[] {
  if (typeof names !== "object" || typeof given !== "object" || given === null || isResource(given)) {
    return [];
  }
  if (isLater(given)) {
    later?.(given, names, path);
    return [];
  }
  if (isEach(names)) {
    const entries = Object.entries(given).map(([key, one]): [string, unknown] => [
      Array.isArray(given) ? `${path}[${key}]` : `${path}[${JSON.stringify(key)}]`,
      one,
    ]);
    return entries.flatMap(([at, one]) => unknownArguments(one, names[0], at, later));
  }
  return Array.isArray(given)
    ? []
    : Object.entries(given).flatMap(([name, value]) => {
        const at = path === "" ? name : `${path}.${name}`;
        const known = Object.hasOwn(names, name) ? names[name] : undefined;
        const meant = typeof known === "function" ? known(given as Readonly<Record<string, unknown>>) : known;
        if (value === undefined || name.startsWith("__")) {
          return [];
        }
        return meant === undefined || typeof meant === "string"
          ? [noSuchArgument(at, name, shownNames(names), meant)]
          : unknownArguments(value, meant, at, later);
      });
}

/**
 * The same for what has no check of a resource behind it.
 *
 * @param what What the arguments are of.
 * @throws MirrorError `ARGUMENTS_INVALID`
 */
export function requireNames(given: unknown, names: ArgumentNames, what: string): void {
  const problems = unknownArguments(given, names);
  if (problems.length > 0) {
    throw argumentsError(what, problems);
  }
}

/**
 * The one sentence for it. The value is left out: it may be a secret under a wrong name.
 *
 * @param instead What to do, where that is known better than by the likeness of names.
 */
export function noSuchArgument(path: string, name: string, known: readonly string[], instead?: string): Problem {
  const meant = meantBy(name, known);
  const all = known.join(", ");
  const there = known.length === 1 ? `There is ${all} alone` : `There are ${all}`;
  const likely = meant === undefined ? `give one of ${all}, or leave it out` : `did you mean ${meant}? ${there}`;
  return invalidArgument(`${path}: there is no such argument; ${instead ?? likely}.`);
}

function shownNames(names: ArgumentNames): string[] {
  return Object.entries(names).flatMap(([name, below]) => (below === true || typeof below === "object" ? [name] : []));
}

function isEach(names: ArgumentNames | readonly [ArgumentNames]): names is readonly [ArgumentNames] {
  return Array.isArray(names);
}

/** A resource's properties are its outputs, and no arguments. */
function isResource(value: object): boolean {
  return (value as { __pulumiResource?: unknown }).__pulumiResource === true;
}
