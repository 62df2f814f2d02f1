import { randomBytes } from "node:crypto";

import type { OperationContext } from "../../model/context";
import { sha256 } from "../../model/digest";
import { mediaTypes } from "../../model/mediaType";
import { repositoryBelow } from "../endpoint";
import type { Probe } from "../push/pushResult";
import type { Registry } from "../registry";
import { textOfLayer, tinyLayer, tinyManifest } from "./tinyImage";

/** What makes one probe: the same of both is the same image, in whatever registry. */
export interface ProbeContent {
  tag: string;
  text: string;
}

export function newProbeContent(): ProbeContent {
  return { tag: `probe-${randomBytes(6).toString("hex")}`, text: randomBytes(32).toString("hex") };
}

/**
 * Pushes a tiny image of random content, under a random tag: a node that can pull it through a public name has been to
 * a mirror that has it (B1), because nothing else in the world does.
 *
 * @param repositoryPath Below the namespace: `registry-mirror-probe/probe`.
 */
export async function pushProbe(
  registry: Registry,
  repositoryPath: string,
  context: OperationContext,
  { tag, text }: ProbeContent = newProbeContent(),
): Promise<Probe> {
  context.log.progress(`pushing the probe image to ${repositoryPath}`);
  const repository = repositoryBelow(registry.endpoint, repositoryPath);
  const manifest = await tinyManifest(registry, repository, text);
  const probe: Probe = { repository: repositoryPath, tag, digest: sha256(manifest) };
  await registry.putManifest(repository, probe.tag, {
    mediaType: mediaTypes.ociManifest,
    bytes: manifest,
    digest: probe.digest,
  });
  return probe;
}

/** What a probe was made of, so that another registry can have the same one; undefined where the registry has it no more. */
export async function readProbe(
  registry: Registry,
  { repository: path, tag, digest }: Probe,
): Promise<ProbeContent | undefined> {
  const repository = repositoryBelow(registry.endpoint, path);
  const manifest = await registry.getManifest(repository, digest);
  const layer = manifest === undefined ? undefined : tinyLayer(manifest.bytes);
  if (layer === undefined) {
    return undefined;
  }
  const content = registry.downloadBlob(repository, layer);
  const bytes = Buffer.concat((await content.toArray()) as Buffer[]);
  return { tag, text: textOfLayer(bytes) };
}
