import { sha256 } from "../../../../provider/model/digest";
import { mediaTypes } from "../../../../provider/model/mediaType";
import type { Registry } from "../../../../provider/registry/registry";
import type { TestImage } from "../../../unit/archive/make/image";

/** Puts a manifest and its blobs into a repository: what belongs to an image that lies there. */
export async function attach(
  registry: Registry,
  repository: string,
  { root, blobs }: Pick<TestImage, "root" | "blobs">,
  reference: string,
): Promise<void> {
  for (const [digest, bytes] of blobs) {
    if (digest !== root.digest) {
      await registry.uploadBlob(repository, { digest, size: bytes.length, bytes });
    }
  }
  const bytes = blobs.get(root.digest) as Buffer;
  await registry.putManifest(repository, reference, { mediaType: root.mediaType, bytes, digest: root.digest });
}

/**
 * Puts what refers to an image beside it, with the list under the tag of the specification, which stands in for the API
 * that the registry does not have.
 */
export async function refer(
  registry: Registry,
  repository: string,
  subject: string,
  referrer: Pick<TestImage, "root" | "blobs">,
): Promise<void> {
  await attach(registry, repository, referrer, referrer.root.digest);
  const manifest = referrer.blobs.get(referrer.root.digest) as Buffer;
  const { artifactType } = JSON.parse(manifest.toString()) as { artifactType?: string };
  const manifests = [{ ...referrer.root, artifactType }];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  const root = { mediaType: mediaTypes.ociIndex, digest: sha256(bytes), size: bytes.length };
  await attach(registry, repository, { root, blobs: new Map([[root.digest, bytes]]) }, subject.replace(":", "-"));
}
