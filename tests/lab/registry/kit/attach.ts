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
