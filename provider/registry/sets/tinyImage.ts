import type { Descriptor } from "../../model/descriptor";
import { sha256 } from "../../model/digest";
import { mediaTypes } from "../../model/mediaType";
import type { Registry } from "../registry";

/**
 * An image manifest of one tiny layer, whose blobs are in the repository when this returns; the manifest is still to be
 * put. The plainest kind there is, so that every registry takes it.
 *
 * @param text Content of the layer's one file, ASCII.
 */
export async function tinyManifest(
  registry: Registry,
  repository: string,
  text: string,
  annotations?: Record<string, string>,
): Promise<Buffer> {
  const layer = oneFileTar("registry-mirror-probe", text);
  const layerDigest = sha256(layer);
  // An uncompressed layer: its digest is also its diff id, and containerd unpacks it like any other.
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: [layerDigest] },
    }),
  );
  for (const bytes of [layer, config]) {
    const digest = sha256(bytes);
    // That of a probe is random, so the registry cannot have it.
    if (annotations === undefined || !(await registry.hasBlob(repository, digest))) {
      await registry.uploadBlob(repository, { digest, size: bytes.length, bytes });
    }
  }
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: sha256(config), size: config.length },
      layers: [{ mediaType: mediaTypes.ociLayer, digest: layerDigest, size: layer.length }],
      ...(annotations === undefined ? {} : { annotations }),
    }),
  );
}

/** The one layer of such a manifest. */
export function tinyLayer(manifest: Buffer): Descriptor | undefined {
  return (JSON.parse(manifest.toString("utf8")) as { layers?: Descriptor[] }).layers?.[0];
}

/** What stands in the layer's one file. */
export function textOfLayer(layer: Buffer): string {
  const size = Number.parseInt(layer.toString("latin1", 124, 135), 8);
  return layer.toString("utf8", 512, 512 + size);
}

/** A POSIX tar with one small file. */
function oneFileTar(name: string, text: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("0000444\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${text.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("        ", 148);
  header.write("0", 156);
  header.write("ustar\x0000", 257);
  header.write(
    `${header
      .reduce((a, b) => a + b, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
  body.write(text);
  return Buffer.concat([header, body, Buffer.alloc(1024)]);
}
