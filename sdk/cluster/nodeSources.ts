import * as pulumi from "@pulumi/pulumi";

import type { DesiredHost } from "../../provider/containerd/desired";
import { renderFiles } from "../../provider/containerd/render/renderFiles";
import type { MirrorSource } from "../node/nodeContainerd";

/** The same mirror without its private registries: what bmctl gives to nodes that are no workers. */
export function withoutPrivateRegistries(mirror: MirrorSource): MirrorSource {
  const { hosts, files, hostsDir, credentials, endpoints } = mirror;
  // Undefined where the declaration has problems, which the RegistryMirror tells.
  const declared = pulumi.output(hosts as pulumi.Output<DesiredHost[] | undefined>);
  const mirrored = declared.apply((all) => all?.flatMap(withoutAccess) ?? []);
  return {
    hosts: mirrored,
    files: pulumi.all([mirrored, files, hostsDir]).apply(([all, texts, dir]) => renderFiles(all, texts ?? {}, dir)),
    credentials: pulumi.all([hosts, credentials]).apply(([all, secrets]) => {
      const left = new Set((all ?? []).flatMap((host) => host.mirrors.map(({ credential }) => credential)));
      const direct = new Set((all ?? []).map(({ access }) => access?.credential).filter((key) => !left.has(key)));
      return Object.fromEntries(Object.entries(secrets ?? {}).filter(([key]) => !direct.has(key)));
    }),
    endpoints,
    hostsDir,
  };
}

function withoutAccess({ access, ...host }: DesiredHost): DesiredHost[] {
  return access !== undefined && host.mirrors.length === 0 ? [] : [host];
}
