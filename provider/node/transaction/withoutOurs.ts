import { revertRegistries } from "../../containerd/registries/revertRegistries";
import { splitManagedBlock, withoutManagedBlock } from "../../containerd/toml/managedBlock";
import type { NodeObservation } from "../observation/observation";
import { revertChange } from "./revert";

/**
 * A file without our part. What was changed between our marks goes with them (`lost`); undefined where others changed
 * the very lines that we changed outside of them.
 */
export function withoutOurs(
  { generatedHosts }: NodeObservation,
  path: string,
  { first, ours, current }: { first: string; ours: string; current: string },
): { text: string; lost: boolean } | undefined {
  const plain = revertChange(first, ours, current);
  if (plain !== undefined) {
    return { text: plain, lost: false };
  }
  if (path === generatedHosts?.registriesPath) {
    const text = revertRegistries(first, ours, current);
    return text === undefined ? undefined : { text, lost: comments(current).some((line) => !text.includes(line)) };
  }
  const [written, found] = [splitManagedBlock(ours), splitManagedBlock(current)];
  if (written.block === "" || found.block === "") {
    return undefined;
  }
  if (withoutManagedBlock(ours) === first) {
    return { text: withoutManagedBlock(current), lost: found.block !== written.block };
  }
  const text = revertChange(first, ours, found.before + written.block + found.after);
  return text === undefined ? undefined : { text, lost: true };
}

function comments(text: string): string[] {
  return text.match(/(?<=^|\s)#.*$/gm) ?? [];
}
