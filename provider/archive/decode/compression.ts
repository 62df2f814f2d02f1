/** How bytes are compressed, detected by their first bytes; file names are often wrong. */
export type Compression = "none" | "gzip" | "zstd" | "xz";

/** Forms that are recognized only to be named in an error. */
export type UnsupportedForm = "bzip2" | "zip" | "lz4" | "7z" | "lzma";

const magics: { form: Exclude<Compression, "none"> | UnsupportedForm; bytes: number[] }[] = [
  { form: "gzip", bytes: [0x1f, 0x8b, 0x08] },
  { form: "zstd", bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { form: "xz", bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { form: "bzip2", bytes: [0x42, 0x5a, 0x68] },
  { form: "zip", bytes: [0x50, 0x4b, 0x03, 0x04] },
  { form: "lz4", bytes: [0x04, 0x22, 0x4d, 0x18] },
  { form: "7z", bytes: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c] },
  { form: "lzma", bytes: [0x5d, 0x00, 0x00] },
];

export function compressionOf(head: Buffer): Compression | UnsupportedForm {
  for (const { form, bytes } of magics) {
    if (head.length >= bytes.length && bytes.every((byte, at) => head[at] === byte)) {
      return form;
    }
  }
  // RFC 8878, 3.1.2: a zstd file may begin with a skippable frame (pzstd writes one).
  if (head.length >= 4 && head.readUInt32LE(0) >>> 4 === 0x184d2a5) {
    return "zstd";
  }
  return "none";
}

export function isPacked(form: Compression | UnsupportedForm): form is Exclude<Compression, "none"> {
  return form === "gzip" || form === "zstd" || form === "xz";
}

export function isUnsupported(form: Compression | UnsupportedForm): form is UnsupportedForm {
  return form !== "none" && !isPacked(form);
}
