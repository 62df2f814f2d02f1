import type { PlacedSource } from "../../../../provider/archive/scan/place";

/** Bytes as a file that is read at any place. */
export function memory(bytes: Buffer): PlacedSource {
  return {
    label: "memory",
    size: bytes.length,
    plain: true,
    spec: { file: "" },
    readAt: (from, max) => Promise.resolve(bytes.subarray(from, from + max)),
    close: () => Promise.resolve(),
  };
}
