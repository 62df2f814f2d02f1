import type { TomlEdit } from "../toml/editToml";
import type { Draft, DraftInput } from "./draft";

/** Credentials that would stand in the configuration: its owner puts them there at the restart. */
export function authPending(
  { observed }: DraftInput,
  draft: Draft,
): { edits: Map<string, TomlEdit[]>; pending: Map<string, TomlEdit[]> } {
  const isAuth = (edit: TomlEdit): boolean => edit.op === "table" && edit.path.at(-1) === "auth";
  const all = draft.edits.get(observed.configPath) ?? [];
  const edits = new Map(draft.edits);
  edits.set(
    observed.configPath,
    all.filter((edit) => !isAuth(edit)),
  );
  return { edits, pending: new Map([[observed.configPath, all.filter(isAuth)]]) };
}
