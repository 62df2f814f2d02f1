import { worksAsHeader } from "./credentials";
import type { DraftInput } from "./draft";
import type { TomlEdit } from "./editToml";
import { upstreamAuthority } from "./hostNames";
import { mirrorsByAuthority } from "./renderFiles";
import { tableAt } from "./toml";

/** Credentials that work only from config.toml on this node. */
export function authEdits(input: DraftInput, plugin: string, notes: string[]): TomlEdit[] {
  const { desired, version, settings } = input;
  const edits: TomlEdit[] = [];
  const place = (host: string, key: string): void => {
    const credential = desired.credentials[key];
    if (credential === undefined) {
      return;
    }
    const before = tableAt(settings.registry, "configs", host, "auth");
    if (before !== undefined) {
      notes.push(`the node's own credential for ${host} in config.toml gives way to the declared one, and comes back on delete`);
    }
    edits.push({
      op: "table",
      path: ["plugins", plugin, "registry", "configs", host, "auth"],
      value: { username: credential.username, password: credential.password },
    });
  };

  const used = new Set<string>();
  for (const [authority, mirror] of mirrorsByAuthority(desired.hosts)) {
    if (mirror.credential === undefined) {
      continue;
    }
    used.add(mirror.credential);
    if (!worksAsHeader(mirror.credential, desired.auth, version)) {
      place(authority, mirror.credential);
      notes.push(`${authority} asks for a token, which containerd ${version.text} gets only with a credential in config.toml: it stands there, and a new one means a restart`);
    }
  }
  for (const key of Object.keys(desired.credentials).sort()) {
    if (used.has(key)) {
      continue;
    }
    const host = desired.hosts.find((one) => one.host === key);
    if (host?.skipFallback === true) {
      notes.push(`the credential of ${key} is not put on this node: with skipFallback it is never asked`);
      continue;
    }
    place(upstreamAuthority(key) ?? key, key);
    notes.push(`the credential of ${key} stands in config.toml (a new one means a restart)`);
  }
  return edits;
}
