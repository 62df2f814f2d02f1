import type { Digest } from "../../model/digest";
import { compressionOf } from "../decode/compression";
import type { Delivery } from "../delivery";
import type { LayerFile, Scope } from "../formats/scope";
import { joinPath, layerPaths } from "../formats/scope";
import { deepestArchive } from "../limits";
import type { Body, Entry } from "./entry";
import { HashedBody } from "./hashedBody";
import { checkSupported, firstNames, isLayerName, looksLikeImageArchive } from "./innerArchive";
import type { Scan } from "./scan";
import type { Spool } from "./spool";

/** A tar in a stream, packed or not. */
interface Tar {
  scope: Scope;
  path: string;
  body: Body;
  form: LayerFile["form"];
  /** Of the archive it lies in. */
  depth: number;
}

/**
 * Tars in a stream: layers of images, and archives of images. Which of them a file is, manifest.json says, and that
 * comes last as a rule; a layer may hold an archive of images at its root. So what may be both is kept as both, until
 * the index is made.
 */
export class StreamedTars {
  constructor(private readonly scan: Scan) {}

  async readTar(scope: Scope, { path, body }: Entry, depth: number): Promise<void> {
    const form = compressionOf(await body.peek(8));
    const tar: Tar = { scope, path, body, form, depth };
    const named = isLayerName(path);
    if (scope.dockers.length > 0 && layerPaths(scope).has(path)) {
      await this.layer(tar, true);
      return;
    }
    const names = await firstNames(body, form, this.scan.options.sources.decoder);
    if (names !== undefined && looksLikeImageArchive(names, named ? "certain" : "likely")) {
      await this.readLayerOrArchive(tar, named);
    } else if (names !== undefined || named) {
      await this.layer(tar, named);
    } else {
      checkSupported(path, form, body);
    }
  }

  /** It begins like an archive of images. */
  private async readLayerOrArchive(tar: Tar, named: boolean): Promise<void> {
    const { body } = tar;
    if (body.place !== undefined) {
      await this.lookInto(tar, body, true, named);
      this.addLayer(tar);
    } else if (named || this.tools.delivery.mayWant(body.size)) {
      await this.spooled(tar, async (held, digest) => {
        await this.lookInto(tar, held, true, named);
        this.addLayer(tar, digest);
        return this.tools.delivery.wants(digest, body.size);
      });
    } else {
      // An archive to all appearances, of any size. Should it be a layer all the same, the index will ask for it by its
      // digest.
      const hashed = new HashedBody(body);
      await this.lookInto(tar, hashed, true, false);
      if (!this.tools.delivery.complete) {
        this.addLayer(tar, await hashed.digest());
      }
    }
  }

  /** It begins like a root file system. */
  private async layer(tar: Tar, named: boolean): Promise<void> {
    const { path, body, form, depth } = tar;
    const stated = namedDigest(path, form);
    if (stated !== undefined) {
      this.addLayer(tar, stated);
      await this.scan.deliver(stated, body);
      return;
    }
    await this.spooled(tar, async (held, digest) => {
      // Images can still be further in.
      const holdsImages = !named && depth < deepestArchive && (await this.lookInto(tar, held, false, false));
      this.addLayer(tar, digest);
      return (!holdsImages || this.tools.delivery.mayWant(body.size)) && this.tools.delivery.wants(digest, body.size);
    });
  }

  private lookInto({ scope, path, depth }: Tar, body: Body, likely: boolean, doubtful: boolean): Promise<boolean> {
    return this.scan.unpack({
      body,
      path: joinPath(scope.path, path),
      depth: depth + 1,
      likely,
      doubtful,
      within: { scope, path },
    });
  }

  /** Notes it as a layer, should manifest.json call it one. */
  private addLayer({ scope, path, body, form }: Tar, digest?: Digest): void {
    const { findings } = this.scan;
    const { size, label, place } = body;
    scope.layers.set(path, { size, label, form, ...(digest === undefined ? { body } : { digest }) });
    if (digest !== undefined && !findings.blobs.has(digest)) {
      findings.blobs.set(digest, { size, label, form, body: place === undefined ? undefined : body });
    }
  }

  /** @param work says whether the content is to be handed over */
  private async spooled({ body }: Tar, work: (held: Body, digest: Digest) => Promise<boolean>): Promise<void> {
    const { spool, delivery } = this.tools;
    const spooled = await spool.keep(body, this.scan.options.signal);
    let handedOn = false;
    try {
      if (await work(spooled.body, spooled.digest)) {
        handedOn = true;
        await delivery.deliverInBackground(spooled.digest, spooled.body, spooled.release);
      }
    } finally {
      if (!handedOn) {
        await spooled.release();
      }
    }
  }

  private get tools(): { spool: Spool; delivery: Delivery } {
    const { spool, delivery } = this.scan.options;
    if (spool === undefined || delivery === undefined) {
      throw new Error("a stream is read for somebody, with a spool");
    }
    return { spool, delivery };
  }
}

/** podman and skopeo name a plain layer by its digest, crane a packed one by that of the packed bytes. */
function namedDigest(path: string, form: LayerFile["form"]): Digest | undefined {
  const match = /(?:^|\/)(?:sha256[:-])?([0-9a-f]{64})\.(tar|tar\.gz|tgz)$/.exec(path);
  if (match?.[1] === undefined || (match[2] === "tar") !== (form === "none")) {
    return undefined;
  }
  return `sha256:${match[1]}`;
}
