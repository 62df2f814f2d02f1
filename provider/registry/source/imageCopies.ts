import type { PackageImage, PackageIndex } from "../../archive/imagePackage";
import type { Descriptor } from "../../model/descriptor";
import type { Digest } from "../../model/digest";
import { sha256 } from "../../model/digest";
import { isIndex } from "../../model/mediaType";
import { parseReference } from "../../model/reference";
import { signatureLayers } from "../../model/signatureLayer";
import type { ManifestParts } from "../push/manifest";
import { manifestParts } from "../push/manifest";
import { mapConcurrently } from "../push/mapConcurrently";
import { isAttestation, platformName } from "../push/platform";
import { targetOf } from "../push/target";
import type { ManifestRead, Registry } from "../registry";
import { RegistryError } from "../registryError";
import type { ResolvedImage } from "./imageList";
import type { SourceRegistries, SourceRepository } from "./sourceRegistries";
import { nameOfPlace, sourceRepository } from "./sourceRegistries";
import { readSignatureLayer } from "./sourceSignatures";
import type { UnreadImage } from "./unreadImages";
import { imagesUnresolved, unreadParts } from "./unreadImages";

/** Where a blob can be read. */
interface ReadableBlob {
  repository: SourceRepository;
  size: number;
}

/** cosign's tags: what it has attached to an image lies under sha256-HEX.sig and so on, in the image's repository. */
const cosignEndings = ["sig", "att", "sbom"] as const;

/** Signatures of signatures are looked for so deep. */
const deepestReferrer = 3;

interface Loaded extends ManifestRead {
  parts: ManifestParts;
}

/**
 * Everything that belongs to images of a list, gathered from their registries: manifests whole, of blobs only where they
 * are. Once gathered, what is here is what a package's index says.
 */
export class ImageCopies {
  readonly origins = new Map<Digest, ReadableBlob>();
  readonly index: Required<Omit<PackageIndex, "namesLast">>;
  private readonly loading = new Map<string, Promise<Loaded | undefined>>();

  constructor(
    private readonly registries: SourceRegistries,
    private readonly platforms: readonly string[] | "all",
    form: string,
    /** What one of them has by digest is read there. Undefined: images that were listed by hand. */
    private readonly mirrors: readonly Registry[] | undefined = undefined,
    /** Whether the content of the images' signatures is gathered too. */
    private readonly signatures = false,
  ) {
    this.index = {
      form,
      images: [],
      manifests: new Map(),
      blobs: new Map(),
      referrers: new Map(),
      missing: new Map(),
      attached: new Map(),
      origins: new Map(),
      signatures: new Map(),
    };
  }

  /** @throws RegistryError `IMAGES_UNRESOLVED`, `PLATFORM_MISSING`, and those of the registries */
  async gather(images: readonly ResolvedImage[]): Promise<void> {
    const failures: UnreadImage[] = [];
    const found = await mapConcurrently(
      images,
      async (image) => {
        try {
          return [await this.gatherImage(image)];
        } catch (error) {
          if (!(error instanceof RegistryError)) {
            throw error;
          }
          failures.push({ name: image.source, error });
          return [];
        }
      },
      imagesAtOnce,
    );
    if (failures.length > 0) {
      throw this.unread(failures, images.length);
    }
    this.index.images.push(...found.flat());
    if (this.signatures) {
      await this.readSignatures(images);
    }
  }

  private unread(failures: readonly UnreadImage[], total: number): RegistryError {
    const [first] = failures;
    if (this.mirrors !== undefined) {
      return new RegistryError(
        "IMAGES_UNRESOLVED",
        `${failures.length} of the ${total} images that lie on the nodes can be had neither from the mirror nor from their registries; nothing was copied. Leave them out with exclude, or say in registries how to reach them.`,
        { parts: unreadParts(failures) },
      );
    }
    if (first?.error instanceof RegistryError && failures.length === 1) {
      const { code, message } = first.error;
      return new RegistryError(code, `${first.name}: ${message}`, { cause: first.error });
    }
    return imagesUnresolved(failures, total, (host) => this.registries.argumentOf(host));
  }

  /** Where an image is read. */
  private async placeOf(source: string, digest: Digest): Promise<SourceRepository> {
    for (const mirror of this.mirrors ?? []) {
      const near = { registry: mirror, path: targetOf(mirror.endpoint, source).repository };
      if ((await this.load(near, digest)) !== undefined) {
        return near;
      }
    }
    const { host, repository } = parseReference(source);
    return sourceRepository(this.registries, host, repository);
  }

  private async gatherImage({ source, digest }: ResolvedImage): Promise<PackageImage> {
    const repository = await this.placeOf(source, digest);
    const root = await this.load(repository, digest);
    if (root === undefined) {
      throw new RegistryError(
        "IMAGES_UNRESOLVED",
        `${repository.registry.endpoint.authority} no longer has ${digest}, which the name pointed at when it was looked up. Run again.`,
      );
    }
    const { reason, ...chosen } = this.choose(root);
    await Promise.all(chosen.children.map((child) => this.gatherChild(repository, root.digest, child)));
    // Those of an index that is reduced are not copied; the images in it are signed by them all the same.
    if (chosen.root === root || this.signatures) {
      await this.gatherReferrers(repository, digest);
    }
    if (await this.gatherAttached(repository, digest)) {
      // Only who signs recursively signs the platforms too.
      await Promise.all(chosen.children.map((child) => this.gatherAttached(repository, child.digest)));
    }
    return {
      source,
      from: nameOfPlace(repository),
      ...(chosen.root === root ? {} : { madeFrom: digest }),
      root: { mediaType: root.mediaType, digest: chosen.root.digest, size: chosen.root.bytes.length },
      preserved: reason === undefined,
      ...(reason === undefined ? {} : { reason }),
    };
  }

  /** Of an index the platforms that are asked for; anything else as it is. */
  private choose(root: Loaded): {
    root: Pick<Loaded, "digest" | "bytes">;
    children: readonly Descriptor[];
    reason?: string;
  } {
    const { children } = root.parts;
    const { platforms } = this;
    if (platforms === "all" || !isIndex(root.mediaType)) {
      return { root, children };
    }
    const wanted = children.filter((child) => platforms.some((platform) => isPlatform(child, platform)));
    if (wanted.length === 0) {
      const has = children.flatMap((child) => platformName(child) ?? []);
      throw new RegistryError(
        "PLATFORM_MISSING",
        `it has no image for ${platforms.join(" or ")}; its index ${root.digest} lists ${has.join(", ") || "none by platform"}. Name one of them in platforms, or leave platforms out to copy it whole.`,
      );
    }
    const digests = new Set(wanted.map((child) => child.digest));
    // BuildKit says which image an attestation is about.
    const kept = children.filter(
      (child) =>
        digests.has(child.digest) ||
        (isAttestation(child) && digests.has(child.annotations?.["vnd.docker.reference.digest"] ?? "")),
    );
    if (kept.length === children.length) {
      return { root, children };
    }
    const json = JSON.parse(root.bytes.toString("utf8")) as { manifests: Descriptor[] };
    const names = new Set(kept.map((child) => child.digest));
    const bytes = Buffer.from(
      JSON.stringify({ ...json, manifests: json.manifests.filter((one) => names.has(one.digest)) }),
    );
    const digest = sha256(bytes);
    this.index.manifests.set(digest, { mediaType: root.mediaType, bytes });
    this.index.manifests.delete(root.digest);
    const reason = `an index of ${platforms.join(", ")} alone, made from ${root.digest}, because platforms asks for no others`;
    return { root: { digest, bytes }, children: kept, reason };
  }

  private async gatherChild(repository: SourceRepository, parent: Digest, { digest }: Descriptor): Promise<void> {
    const child = await this.load(repository, digest);
    if (child === undefined) {
      this.index.missing.set(parent, [...(this.index.missing.get(parent) ?? []), digest]);
      return;
    }
    await Promise.all(child.parts.children.map((one) => this.gatherChild(repository, digest, one)));
    await this.gatherReferrers(repository, digest);
  }

  private async gatherReferrers(repository: SourceRepository, subject: Digest, depth = 1): Promise<void> {
    const { referrers } = this.index;
    if (referrers.has(subject) || depth > deepestReferrer) {
      return;
    }
    referrers.set(subject, []);
    const listed = await repository.registry.listReferrers(repository.path, subject);
    const found = await Promise.all(
      listed.map(async ({ digest }) => {
        const referrer = await this.load(repository, digest);
        if (referrer === undefined) {
          return [];
        }
        await Promise.all(referrer.parts.children.map((one) => this.gatherChild(repository, digest, one)));
        await this.gatherReferrers(repository, digest, depth + 1);
        return [digest];
      }),
    );
    const digests = found.flat();
    if (digests.length > 0) {
      referrers.set(subject, digests);
    } else {
      referrers.delete(subject);
    }
  }

  /** @returns whether there is anything */
  private async gatherAttached(repository: SourceRepository, subject: Digest): Promise<boolean> {
    const found = await Promise.all(
      cosignEndings.map(async (ending) => {
        const tag = `${subject.replace(":", "-")}.${ending}`;
        const seen = await repository.registry.headManifest(repository.path, tag);
        const manifest = seen === undefined ? undefined : await this.load(repository, seen.digest);
        return manifest === undefined ? [] : [{ tag, digest: manifest.digest }];
      }),
    );
    const attached = found.flat();
    if (attached.length > 0) {
      this.index.attached.set(subject, attached);
    }
    return attached.length > 0;
  }

  /** What the signatures of these images say. */
  private async readSignatures(images: readonly ResolvedImage[]): Promise<void> {
    const { referrers, attached, manifests, signatures } = this.index;
    const about = images.flatMap(({ digest }) => [
      ...(referrers.get(digest) ?? []),
      ...(attached.get(digest) ?? []).map((one) => one.digest),
    ]);
    const layers = about.flatMap((digest) => signatureLayers(manifests.get(digest)?.bytes ?? Buffer.alloc(0)));
    await mapConcurrently([...new Set(layers.map(({ digest }) => digest))], async (digest) => {
      const place = this.origins.get(digest);
      if (place !== undefined) {
        signatures.set(digest, await readSignatureLayer(place.repository, { digest, size: place.size }));
      }
    });
  }

  /** A manifest with its blobs, each fetched once however many images share it. */
  private load(repository: SourceRepository, digest: Digest): Promise<Loaded | undefined> {
    const key = `${repository.registry.endpoint.authority}/${repository.path}@${digest}`;
    let loading = this.loading.get(key);
    if (loading === undefined) {
      loading = this.fetch(repository, digest);
      this.loading.set(key, loading);
    }
    return loading;
  }

  private async fetch(repository: SourceRepository, digest: Digest): Promise<Loaded | undefined> {
    const read = await repository.registry.getManifest(repository.path, digest);
    if (read === undefined) {
      return undefined;
    }
    const { mediaType, bytes } = read;
    const parts = manifestParts(digest, { mediaType, bytes }, () => false);
    this.index.manifests.set(digest, { mediaType, bytes });
    for (const { digest: blob, size } of parts.blobs) {
      if (!this.origins.has(blob)) {
        this.origins.set(blob, { repository, size });
        this.index.blobs.set(blob, size);
        this.index.origins.set(blob, {
          authority: repository.registry.endpoint.authority,
          repository: repository.path,
        });
      }
    }
    return { ...read, parts };
  }
}

/** Images whose manifests are fetched side by side; each asks for several. */
const imagesAtOnce = 8;

/** `linux/arm64` is every variant of it, `linux/arm64/v8` that one. */
function isPlatform(child: Descriptor, wanted: string): boolean {
  const name = platformName(child);
  return name !== undefined && (name === wanted || name.startsWith(`${wanted}/`));
}
