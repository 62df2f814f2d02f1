import { randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { must } from "./execute";
import type { ExpectedImage, ImagePackage } from "./imagePackages";
import type { LabRegistry } from "./registry";

/** "gcr.io/a/b:1" -> "a/b:1": where a registry that plays the host has it. */
export function withoutHost(name: string): string {
  return name.slice(name.indexOf("/") + 1);
}

/**
 * Copies images of a layout or docker-archive into a registry with skopeo, all platforms, under their own name less the
 * host, below `namespace` where one is given. `only` picks names.
 */
export async function copyToRegistry(
  source: ImagePackage,
  registry: LabRegistry,
  options: { readonly only?: (image: ExpectedImage) => boolean; readonly namespace?: string } = {},
): Promise<void> {
  const transport = source.path.endsWith("docker-archive.tar") ? "docker-archive" : "oci";
  // A file, as an argument would show the password in the process list.
  const authFile = join(registry.description.folder, `skopeo-${randomUUID()}.json`);
  const credentials = registry.username === undefined ? [] : ["--dest-authfile", authFile];
  if (credentials.length > 0) writeFileSync(authFile, authentication(registry), { mode: 0o600 });
  try {
    for (const image of source.images.filter(options.only ?? (() => true))) {
      const target = [registry.hostPort, options.namespace, withoutHost(image.name)].filter((part) => part).join("/");
      await must("skopeo", [
        "--insecure-policy",
        "copy",
        "--all",
        "--quiet",
        ...(transport === "oci" ? ["--preserve-digests"] : []),
        "--dest-tls-verify=false",
        ...credentials,
        `${transport}:${source.path}:${image.name}`,
        `docker://${target}`,
      ]);
    }
  } finally {
    rmSync(authFile, { force: true });
  }
}

function authentication(registry: LabRegistry): string {
  const auth = Buffer.from(`${registry.username}:${registry.password}`).toString("base64");
  return JSON.stringify({ auths: { [registry.hostPort]: { auth } } });
}
