import { randomBytes } from "node:crypto";

import type { OperationContext } from "../../model/context";
import { sha256 } from "../../model/digest";
import { mediaTypes } from "../../model/mediaType";
import { repositoryBelow } from "../endpoint";
import type { Probe } from "../push/pushResult";
import type { Registry } from "../registry";
import { tinyManifest } from "./tinyImage";

/**
 * Pushes a tiny image of random content, under a random tag: a node that can pull it through a public name has been to
 * this very mirror (B1), because nothing else in the world has it.
 *
 * @param repositoryPath Below the namespace: `registry-mirror-probe/probe`.
 */
export async function pushProbe(registry: Registry, repositoryPath: string, context: OperationContext): Promise<Probe> {
  context.log.progress(`pushing the probe image to ${repositoryPath}`);
  const repository = repositoryBelow(registry.endpoint, repositoryPath);
  const manifest = await tinyManifest(registry, repository, randomBytes(32).toString("hex"));
  const probe: Probe = {
    repository: repositoryPath,
    tag: `probe-${randomBytes(6).toString("hex")}`,
    digest: sha256(manifest),
  };
  await registry.putManifest(repository, probe.tag, {
    mediaType: mediaTypes.ociManifest,
    bytes: manifest,
    digest: probe.digest,
  });
  return probe;
}
