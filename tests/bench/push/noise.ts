import type { Cipheriv } from "node:crypto";
import { createCipheriv, createHash } from "node:crypto";
import { closeSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";

/**
 * Writes a blob of random bytes, the same for the same number each time.
 *
 * @returns its digest
 */
export function writeNoise(blobs: string, number: number, size: number): string {
  const noise: Cipheriv = createCipheriv("aes-128-ctr", Buffer.alloc(16, number + 1), Buffer.alloc(16));
  const zeros = Buffer.alloc(1 << 20);
  const hash = createHash("sha256");
  const unnamed = join(blobs, `unnamed-${number}`);
  const file = openSync(unnamed, "w");
  for (let left = size; left > 0; left -= zeros.length) {
    const piece = noise.update(zeros.subarray(0, Math.min(left, zeros.length)));
    hash.update(piece);
    writeSync(file, piece);
  }
  closeSync(file);
  const hex = hash.digest("hex");
  renameSync(unnamed, join(blobs, hex));
  return `sha256:${hex}`;
}
