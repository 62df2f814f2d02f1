/** Reads the multibyte integers of an .xz one after the other (xz-file-format 1.2.1, section 1.2). */
export class XzIntegers {
  constructor(
    private readonly bytes: Buffer,
    /** Where the next one begins; behind the end where one is cut off. */
    public at: number,
  ) {}

  next(): number {
    let value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = this.bytes[this.at] ?? 0;
      this.at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) {
        break;
      }
    }
    return value;
  }
}
