import { buffer } from "node:stream/consumers";

import type { PackageImage, PackageIndex } from "../../archive/imagePackage";
import type { OperationContext } from "../../model/context";
import type { Descriptor } from "../../model/descriptor";
import type { Digest } from "../../model/digest";
import { parseReference } from "../../model/reference";
import { saysOtherPredicate, signatureLayers, signatureTag } from "../../model/signatureLayer";
import { mapConcurrently } from "../push/mapConcurrently";
import type { ImageList, ResolvedImage } from "./imageList";
import type { SourceRepository } from "./sourceRegistries";
import { nameOfPlace, SourceRegistries, sourceRepository } from "./sourceRegistries";

/** Images that are asked about side by side; each takes some requests. */
const imagesAtOnce = 8;

/**
 * The signatures of images, and nothing else of them: for who asks whether they are signed, and copies nothing. As a
 * package's index says it.
 *
 * @param argument What errors call the list.
 * @throws RegistryError those of the registries
 */
export async function readSourceSignatures(
  list: ImageList,
  images: readonly ResolvedImage[],
  argument: string,
  context: OperationContext,
): Promise<PackageIndex> {
  const registries = new SourceRegistries(list.registries ?? {}, argument, context, {});
  const reader = new SignatureReader(registries);
  try {
    reader.index.images.push(...(await mapConcurrently(images, (image) => reader.read(image), imagesAtOnce)));
    return reader.index;
  } finally {
    await registries.close();
  }
}

/** The content of a signature, checked against its digest. */
export function readSignatureLayer({ registry, path }: SourceRepository, layer: Pick<Descriptor, "digest" | "size">) {
  return buffer(registry.downloadBlob(path, layer));
}

class SignatureReader {
  readonly index: Required<Pick<PackageIndex, "attached" | "signatures">> & PackageIndex = {
    form: "signatures",
    images: [],
    manifests: new Map(),
    blobs: new Map(),
    referrers: new Map(),
    missing: new Map(),
    attached: new Map(),
    signatures: new Map(),
  };

  constructor(private readonly registries: SourceRegistries) {}

  async read({ source, digest }: ResolvedImage): Promise<PackageImage> {
    const { host, repository } = parseReference(source);
    const place = sourceRepository(this.registries, host, repository);
    const tag = signatureTag(digest);
    const tagged = await place.registry.headManifest(place.path, tag);
    if (tagged !== undefined && (await this.readManifest(place, tagged.digest))) {
      this.index.attached.set(digest, [{ tag, digest: tagged.digest }]);
    }
    const listed = await place.registry.listReferrers(place.path, digest);
    // Attestations may be large, and are many.
    const candidates = listed.filter(({ annotations }) => !saysOtherPredicate(annotations));
    const read = await Promise.all(
      candidates.map(async (one) => ((await this.readManifest(place, one.digest)) ? [one.digest] : [])),
    );
    this.index.referrers.set(digest, [...(this.index.referrers.get(digest) ?? []), ...read.flat()]);
    return { source, root: { mediaType: "", digest, size: 0 }, preserved: true, from: nameOfPlace(place) };
  }

  /** @returns whether it is there */
  private async readManifest(place: SourceRepository, digest: Digest): Promise<boolean> {
    const { manifests, signatures } = this.index;
    const manifest = await place.registry.getManifest(place.path, digest);
    if (manifest === undefined) {
      return false;
    }
    manifests.set(digest, { mediaType: manifest.mediaType, bytes: manifest.bytes });
    for (const layer of signatureLayers(manifest.bytes)) {
      signatures.set(layer.digest, await readSignatureLayer(place, layer));
    }
    return true;
  }
}
