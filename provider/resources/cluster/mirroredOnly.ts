import type { Credentials, DesiredHost } from "../../containerd/desired";
import { renderFiles } from "../../containerd/render/renderFiles";

/** A mirror without its private registries: what bmctl gives to nodes that are no workers. */
export function mirroredOnly(hosts: readonly DesiredHost[]): DesiredHost[] {
  return hosts.flatMap(({ access, ...host }) => (access !== undefined && host.mirrors.length === 0 ? [] : [host]));
}

/** The files of such hosts. `files` are those of the whole mirror: its certificates are among them. */
export function filesOfMirrored(
  mirrored: DesiredHost[],
  files: Record<string, string>,
  hostsDir: string,
): Record<string, string> {
  return renderFiles(mirrored, files, hostsDir);
}

/** The credentials that such hosts need. */
export function credentialsOfMirrored(hosts: readonly DesiredHost[], credentials: Credentials): Credentials {
  const left = new Set(hosts.flatMap((host) => host.mirrors.map(({ credential }) => credential)));
  const direct = new Set(hosts.map(({ access }) => access?.credential).filter((key) => !left.has(key)));
  return Object.fromEntries(Object.entries(credentials).filter(([key]) => !direct.has(key)));
}
