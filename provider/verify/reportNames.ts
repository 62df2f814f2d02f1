import type { ArgumentNames } from "../model/argumentNames";
import { requireNames } from "../model/argumentNames";

const pushSetNames: ArgumentNames = { name: true, registries: true };

/**
 * That a report is given no other options than it has.
 *
 * @param options As a program gives them; a push set among them may be a resource.
 * @param own Names beside `pushSets`.
 * @throws MirrorError `ARGUMENTS_INVALID`
 */
export function requireReportNames(options: unknown, own: readonly string[], what: string): void {
  const { pushSets } = (options ?? {}) as { pushSets?: unknown };
  const names = Object.fromEntries(own.map((name) => [name, true] as const));
  requireNames(options, { ...names, pushSets: Array.isArray(pushSets) ? [pushSetNames] : pushSetNames }, what);
}
