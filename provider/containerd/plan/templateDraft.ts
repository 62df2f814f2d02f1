import { ContainerdError } from "../containerdError";
import { editToml } from "../toml/editToml";
import { authPending } from "./authPending";
import type { Draft, DraftInput } from "./draft";
import { planNoteOn } from "./planNote";

/**
 * Where the configuration is made from a template at each start, credentials go into that, and come into effect with a
 * restart. Nothing else does: what the template's owner has set there is theirs.
 *
 * @throws ContainerdError CONTAINERD_EDIT for a credential that the template cannot hold
 */
export function templateDraft(input: DraftInput, draft: Draft): Draft {
  const { observed, desired } = input;
  const template = observed.lockedConfig?.template;
  const config = observed.files[observed.configPath]?.text;
  if (template === undefined || config === undefined || observed.files[template.path]?.text === undefined) {
    return draft;
  }
  const { edits, pending } = authPending(input, draft);
  if (edits.get(observed.configPath)?.length === 0) {
    edits.delete(observed.configPath);
  }
  const auths = pending.get(observed.configPath) ?? [];
  edits.set(template.path, auths);
  const notes = [...draft.notes];
  if (auths.length > 0) {
    const taken = Object.entries(desired.credentials).find(([, credential]) =>
      Object.values(credential).some((value) => value.includes(template.open)),
    );
    if (taken !== undefined) {
      throw new ContainerdError(
        "CONTAINERD_EDIT",
        `the credential of ${taken[0]} has ${template.open} in it, where something else is put in when ${template.path} is read; choose another one`,
      );
    }
    const text = `holds the credentials, which at each start are copied into ${observed.configPath}: ${template.readers} may read that`;
    notes.push(planNoteOn("in-config", template.path, text));
  }
  // Not made of the template as it is: since the last start somebody changed one of them.
  const made = editToml(config, auths, observed.configPath) === config;
  return { ...draft, edits, pending, notes, ...(made ? {} : { restart: true as const }) };
}
