import { randomBytes } from "node:crypto";

import type { OperationContext } from "../context";
import { sha256 } from "../oci/digest";
import { mediaTypes } from "../oci/mediaType";
import { repositoryBelow } from "./endpoint";
import type { Probe } from "./pushResult";
import type { Registry } from "./registry";

/**
 * Pushes a tiny image of random content, under a random tag: a node that can pull it through a public name has been to this very
 * mirror (B1), because nothing else in the world has it.
 *
 * @param repositoryPath Below the namespace: `registry-mirror-probe/probe`.
 */
export async function pushProbe(registry: Registry, repositoryPath: string, context: OperationContext): Promise<Probe> {
  context.log.progress(`pushing the probe image to ${repositoryPath}`);
  const repository = repositoryBelow(registry.endpoint, repositoryPath);
  const layer = oneFileTar("registry-mirror-probe", randomBytes(32).toString("hex"));
  const layerDigest = sha256(layer);
  // An uncompressed layer: its digest is also its diff id, and containerd unpacks it like any other.
  const config = Buffer.from(
    JSON.stringify({ architecture: "amd64", os: "linux", config: {}, rootfs: { type: "layers", diff_ids: [layerDigest] } }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: sha256(config), size: config.length },
      layers: [{ mediaType: mediaTypes.ociLayer, digest: layerDigest, size: layer.length }],
    }),
  );
  for (const bytes of [layer, config]) {
    await registry.uploadBlob(repository, { digest: sha256(bytes), size: bytes.length, bytes });
  }
  const probe: Probe = { repository: repositoryPath, tag: `probe-${randomBytes(6).toString("hex")}`, digest: sha256(manifest) };
  await registry.putManifest(repository, probe.tag, { mediaType: mediaTypes.ociManifest, bytes: manifest, digest: probe.digest });
  return probe;
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
  header.write(`${header.reduce((a, b) => a + b, 0).toString(8).padStart(6, "0")}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
  body.write(text);
  return Buffer.concat([header, body, Buffer.alloc(1024)]);
}
