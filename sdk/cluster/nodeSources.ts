import * as pulumi from "@pulumi/pulumi";

import type { DesiredHost } from "../../provider/containerd/desired";
import { credentialsOfMirrored, filesOfMirrored, mirroredOnly } from "../../provider/resources/cluster/mirroredOnly";
import type { MirrorSource } from "../node/nodeContainerd";

/** The same mirror without its private registries. */
export function withoutPrivateRegistries(mirror: MirrorSource): MirrorSource {
  const { files, hostsDir, credentials, endpoints } = mirror;
  // Undefined where the declaration has problems, which the RegistryMirror tells.
  const hosts = pulumi.output(mirror.hosts as pulumi.Output<DesiredHost[] | undefined>).apply((all) => all ?? []);
  const mirrored = hosts.apply(mirroredOnly);
  return {
    hosts: mirrored,
    files: pulumi.all([mirrored, files, hostsDir]).apply(([all, texts, dir]) => filesOfMirrored(all, texts ?? {}, dir)),
    credentials: pulumi.all([hosts, credentials]).apply(([all, secrets]) => credentialsOfMirrored(all, secrets ?? {})),
    endpoints,
    hostsDir,
  };
}
