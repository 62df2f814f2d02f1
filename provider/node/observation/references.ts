import { builtIn } from "../../containerd/layout/builtIn";
import type { NodeLayout } from "../../containerd/layout/layout";
import type { ObservedNode } from "../../containerd/observed";
import { whatToObserve } from "../../containerd/read/whatToObserve";
import { revertRegistries } from "../../containerd/registries/revertRegistries";
import { MirrorError } from "../../model/errors";
import { type OwnedFile, parseRecord, savedPath } from "../record";
import { encodeValue } from "../session/session";
import { revertChange } from "../transaction/revert";
import type { Seen } from "./seen";

/**
 * Further files and directories that the configuration names; nothing when it does not parse, which the plan will say
 * with the line.
 */
export function references(observed: ObservedNode, hostsDirs: string[]): string[] {
  try {
    const { configFiles, hostsDirs: named } = whatToObserve(observed, hostsDirs[0] ?? builtIn.hostsDirs[0]);
    return [
      ...configFiles.map(encodeValue),
      ...named.filter((dir) => !hostsDirs.includes(dir)).map((dir) => `D:${encodeValue(dir)}`),
    ];
  } catch (error) {
    if (error instanceof MirrorError) {
      return [];
    }
    throw error;
  }
}

/** What the program that runs containerd makes its files from; Rancher's own file has secrets in it, and is only looked for. */
export function alsoRead({ generatedHosts, lockedConfig }: NodeLayout, seen: Seen): string[] {
  if (generatedHosts === undefined) {
    return lockedConfig?.template === undefined ? [] : [encodeValue(lockedConfig.template.path)];
  }
  const { registriesPath, provisionedPath, caDir } = generatedHosts;
  const { original, written } = ownedFile(seen, registriesPath) ?? {};
  const saved = [original, written].filter((id) => id !== undefined).map((id) => `F:${encodeValue(savedPath(id))}`);
  return [encodeValue(registriesPath), `E:${encodeValue(provisionedPath)}`, `D:${encodeValue(caDir)}`, ...saved];
}

function ownedFile(seen: Seen, path: string): OwnedFile | undefined {
  return parseRecord(seen.values["record"] ?? "")?.files.find((file) => file.path === path);
}

/** What stood in registries.yaml before us, and what others changed there since. */
export function registriesBefore({ generatedHosts }: NodeLayout, seen: Seen): string | undefined {
  const path = generatedHosts?.registriesPath ?? "";
  const { original, written } = ownedFile(seen, path) ?? {};
  const saved = (id: string | undefined): string | undefined =>
    id === undefined ? undefined : seen.files[savedPath(id)]?.text;
  const [first, ours, current] = [saved(original), saved(written), seen.files[path]?.text];
  if (first === undefined || ours === undefined || current === undefined) {
    return first;
  }
  // Where theirs cannot be told from ours, all of it stays: what is declared is said there already.
  return revertChange(first, ours, current) ?? revertRegistries(first, ours, current) ?? current;
}

export function ownedElsewhere(seen: Seen): string[] {
  const record = parseRecord(seen.values["record"] ?? "");
  return (record?.files ?? []).filter((f) => !(f.path in seen.stats)).map((f) => `F:${encodeValue(f.path)}`);
}
