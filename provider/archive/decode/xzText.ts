/**
 * - `truncated`: the data ends before its end.
 * - `memory`: unpacking needs more memory than is given.
 */
export type XzFailure = "truncated" | "memory";

/**
 * The xz program ends with status 1 for every damage, and the native module gives every error the code InvalidArg.
 *
 * Sources: xz 5.2 to 5.8 with LC_ALL=C, src/xz/message.c; @napi-rs/lzma 1.5, whose reader fails with the words of Rust's
 * io::ErrorKind::UnexpectedEof.
 */
const texts: readonly (readonly [XzFailure, RegExp])[] = [
  // The program.
  ["truncated", /^Unexpected end of input$/m],
  ["memory", /^Memory usage limit reached$/m],
  // The module.
  ["truncated", /^failed to fill whole buffer$/],
];

/** `undefined`: other damage. */
export function xzFailure(message: string): XzFailure | undefined {
  return texts.find(([, pattern]) => pattern.test(message))?.[0];
}
