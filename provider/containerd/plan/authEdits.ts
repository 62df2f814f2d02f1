import type { DesiredRegistry } from "../desired";
import { upstreamAuthority } from "../hostNames";
import { headerCredentials } from "../render/renderFiles";
import type { TomlEdit } from "../toml/editToml";
import { tableAt } from "../toml/toml";
import type { ContainerdVersion } from "../version";
import { worksAsHeader } from "./credentials";
import type { DraftInput } from "./draft";
import { type PlanNote, planNote, planNoteOn } from "./planNote";

/** A credential that works only from config.toml on a node. */
export interface ConfigCredential {
  /** The host that `configs.HOST.auth` names. */
  host: string;
  /** Into DesiredRegistry.credentials. */
  key: string;
  /** Of a mirror or private registry that asks for a token, or of a public registry. */
  of: "declared" | "upstream";
}

/** Credentials that a node's config.toml has to hold in the style `hosts-dir`; each change of them is a restart. */
export function credentialsInConfig(
  { hosts, auth, credentials }: Pick<DesiredRegistry, "hosts" | "auth" | "credentials">,
  version: ContainerdVersion,
): { placed: ConfigCredential[]; unasked: string[] } {
  const placed: ConfigCredential[] = [];
  const used = new Set<string>();
  for (const [authority, key] of headerCredentials(hosts)) {
    used.add(key);
    if (!worksAsHeader(key, auth, version) && Object.hasOwn(credentials, key)) {
      placed.push({ host: authority, key, of: "declared" });
    }
  }
  const unasked: string[] = [];
  for (const key of Object.keys(credentials).sort()) {
    if (used.has(key)) {
      continue;
    }
    if (hosts.find((one) => one.host === key)?.skipFallback === true) {
      unasked.push(key);
    } else {
      placed.push({ host: upstreamAuthority(key) ?? key, key, of: "upstream" });
    }
  }
  return { placed, unasked };
}

export function ownCredentialGivesWay(host: string): PlanNote {
  return planNote(
    "gives-way",
    host,
    `the node's own credential for ${host} in config.toml gives way to the declared one, and comes back on delete`,
  );
}

/** The edits of config.toml for them. */
export function authEdits(input: DraftInput, plugin: string, notes: PlanNote[]): TomlEdit[] {
  const { desired, version, settings } = input;
  const { placed, unasked } = credentialsInConfig(desired, version);
  for (const key of unasked) {
    notes.push(
      planNote(
        "not-placed",
        key,
        `the credential of ${key} is not put on this node: with skipFallback it is never asked`,
      ),
    );
  }
  return placed.flatMap(({ host, key, of }): TomlEdit[] => {
    const credential = desired.credentials[key];
    if (credential === undefined) {
      return [];
    }
    if (tableAt(settings.registry, "configs", host, "auth") !== undefined) {
      notes.push(ownCredentialGivesWay(host));
    }
    notes.push(
      of === "declared"
        ? planNoteOn(
            "in-config",
            host,
            `asks for a token, which containerd ${version.text} gets only with a credential in config.toml: it stands there, and a new one means a restart`,
          )
        : planNote("in-config", key, `the credential of ${key} stands in config.toml (a new one means a restart)`),
    );
    const { username, password } = credential;
    return [
      { op: "table", path: ["plugins", plugin, "registry", "configs", host, "auth"], value: { username, password } },
    ];
  });
}
