/** One entry as a tar writer would write it, or as an attacker would. */
export interface TarEntry {
  name: string;
  content?: Buffer | string;
  /** The type letter; default "0", a file. */
  type?: string;
  link?: string;
  /** Written into the header instead of the content's length. */
  size?: number | Buffer;
  /** Records of a pax header before the entry. */
  pax?: Record<string, string>;
  /** GNU long name before the entry. */
  longName?: boolean;
  mode?: number;
}

/** A tar of our own making, so that every malformed one can be had as well. */
export function tar(entries: TarEntry[], options: { end?: boolean; padTo?: number } = {}): Buffer {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    if (entry.pax !== undefined) {
      parts.push(...member({ name: "PaxHeaders/entry", type: "x", content: paxRecords(entry.pax) }));
    }
    if (entry.longName === true) {
      parts.push(...member({ name: "././@LongLink", type: "L", content: `${entry.name}\0` }));
    }
    parts.push(...member(entry));
  }
  if (options.end !== false) {
    parts.push(Buffer.alloc(1024));
  }
  const whole = Buffer.concat(parts);
  const padTo = options.padTo ?? 1;
  return Buffer.concat([whole, Buffer.alloc((padTo - (whole.length % padTo)) % padTo)]);
}

function paxRecords(records: Record<string, string>): Buffer {
  return Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.byteLength(` ${key}=${value}\n`);
      let length = rest + 1;
      while (String(length).length + rest !== length) {
        length += 1;
      }
      return Buffer.from(`${length} ${key}=${value}\n`);
    }),
  );
}

function member(entry: TarEntry): Buffer[] {
  const content = Buffer.from(entry.content ?? "");
  const header = Buffer.alloc(512);
  header.write(entry.name.slice(0, 100), 0);
  header.write(`${(entry.mode ?? 0o644).toString(8).padStart(7, "0")}\0`, 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  if (Buffer.isBuffer(entry.size)) {
    entry.size.copy(header, 124);
  } else {
    header.write(`${(entry.size ?? content.length).toString(8).padStart(11, "0")}\0`, 124);
  }
  header.write("00000000000\0", 136);
  header.write("        ", 148);
  header.write(entry.type ?? "0", 156);
  header.write(entry.link ?? "", 157);
  header.write("ustar\0" + "00", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}
