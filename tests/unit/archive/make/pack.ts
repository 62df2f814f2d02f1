import { spawnSync } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { readXzBlocks, wrapBlocks } from "../../../../provider/archive/decode/xzIndex";
import type { Files } from "./shapes";
import { tar } from "./tar";

export const forms = [
  "folder",
  "tar",
  "tar.gz",
  "tar.zst",
  "tar.xz",
  "multi-block tar.xz",
  "multi-stream tar.xz",
] as const;
export type Form = (typeof forms)[number];

/** Writes the files as a package of that form. @returns its path */
export async function writePackage(folder: string, files: Files, form: Form, name = "package"): Promise<string> {
  if (form === "folder") {
    const top = join(folder, name);
    for (const { name: path, content, type, link } of files) {
      if (type === "5") {
        await mkdir(join(top, path), { recursive: true });
      } else {
        await mkdir(dirname(join(top, path)), { recursive: true });
        await (type === "2" ? symlink(link ?? "", join(top, path)) : writeFile(join(top, path), content ?? ""));
      }
    }
    return top;
  }
  const ending = form.slice(form.lastIndexOf(" ") + 1);
  const path = join(folder, `${name}.${ending}`);
  await writeFile(path, await packed(tar(files, { padTo: 10240 }), form));
  return path;
}

export async function packed(bytes: Buffer, form: Exclude<Form, "folder">): Promise<Buffer> {
  switch (form) {
    case "tar":
      return bytes;
    case "tar.gz":
      return gzipSync(bytes);
    case "tar.zst":
      return zstdCompressSync(bytes);
    case "tar.xz":
      return xz(bytes);
    case "multi-block tar.xz":
      return xzBlocks(bytes, Math.ceil(bytes.length / 5));
    case "multi-stream tar.xz": {
      const half = Math.floor(bytes.length / 2) + 7;
      return Buffer.concat([xz(bytes.subarray(0, half)), Buffer.alloc(8), xz(bytes.subarray(half))]);
    }
  }
}

/** One stream with one block, by the program or the native module, whichever is there. */
export function xz(bytes: Buffer): Buffer {
  const run = spawnSync("xz", ["-0", "-T1", "-c"], { input: bytes, maxBuffer: 1 << 30 });
  if (run.error !== undefined) {
    const { xz: native } = createRequire(__filename)("@napi-rs/lzma") as {
      xz: { compressSync(input: Buffer): Buffer };
    };
    return native.compressSync(bytes);
  }
  return run.stdout;
}

/** One stream with a block for every `size` bytes, put together from streams of one block. */
export async function xzBlocks(bytes: Buffer, size: number): Promise<Buffer> {
  const all = [];
  const bodies: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const one = xz(bytes.subarray(at, at + size));
    const source = {
      label: "",
      size: one.length,
      readAt: (from: number, max: number) => Promise.resolve(one.subarray(from, from + max)),
      close: () => Promise.resolve(),
    };
    const blocks = (await readXzBlocks(source, 0, one.length)) ?? [];
    all.push(...blocks);
    bodies.push(...blocks.map((block) => one.subarray(block.offset, block.offset + block.length)));
  }
  const { before, after } = wrapBlocks(all);
  return Buffer.concat([before, ...bodies, after]);
}
