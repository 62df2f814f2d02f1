import { messageOf } from "../../model/errors";
import { ArchiveError } from "../archiveError";
import type { PlacedSource, SourceSpec } from "../scan/place";
import type { RandomSource } from "./byteSource";
import type { StoredContent } from "./storedBlock";
import { readStoredBlock } from "./storedBlock";
import type { XzDecoder } from "./xzDecoder";
import type { XzBlock } from "./xzIndex";

/** Small blocks are decoded in groups of about this size: starting a decoder for each would cost more than decoding. */
const groupBytes = 8 << 20;

/**
 * Larger blocks (xz -9 -T writes 192 MiB) would not fit into the memory several at a time: such files are decoded as a
 * stream.
 */
export const largestGroup = 64 << 20;

/** Decoded groups held at a time, in bytes: those in use, being decoded and read ahead. */
const heldBytes = 128 << 20;

/** At most this much is copied at a time for a reader. */
const pieceBytes = 1 << 20;

interface Group {
  blocks: XzBlock[];
  /** In the file. */
  offset: number;
  length: number;
  /** Decoded: where it begins and how much it is. */
  start: number;
  size: number;
}

/** A group that is decoded, or being so. */
interface Decoded {
  content: Promise<Buffer>;
  /** Of blocks that were only stored: not compared with their checks so far. */
  unchecked: StoredContent[];
  memory: Buffer | undefined;
  stop: AbortController;
}

/**
 * The decoded content of an .xz file of many blocks: several are decoded at a time, and any place can be read by
 * decoding the block it lies in.
 */
export class XzSource implements PlacedSource {
  readonly plain = false;
  readonly size: number;
  readAhead = false;
  /** Called with the place in the file (from its start) that has been reached. */
  reached: ((position: number) => void) | undefined;

  private readonly groups: Group[];
  private readonly decoded = new Map<number, Decoded>();
  /** Groups that have been decoded for somebody. */
  private readonly checked = new Set<number>();
  private readonly ahead: number;
  private readonly largest: number;
  /** Memory of groups that are no longer needed. */
  private readonly spare: Buffer[] = [];

  constructor(
    private readonly decoder: XzDecoder,
    private readonly file: RandomSource,
    blocks: XzBlock[],
    readonly spec: SourceSpec,
    readonly label: string,
    threads: number,
    private readonly fileOffset = 0,
    /** Whether every block states its own sizes, and they are those of the index. */
    private readonly certain = true,
    smallest = groupBytes,
  ) {
    this.groups = grouped(blocks, smallest);
    this.largest = this.groups.reduce((most, group) => Math.max(most, group.size), 1);
    this.size = this.groups.reduce((sum, group) => sum + group.size, 0);
    this.ahead = Math.max(0, Math.min(threads, Math.floor(heldBytes / this.largest) - 1));
  }

  async readAt(
    position: number,
    max: number,
    until = position + max,
    _into?: Buffer,
    checkedByDigest = false,
  ): Promise<Buffer> {
    if (position >= this.size) {
      return Buffer.alloc(0);
    }
    const number = this.groupAt(position);
    const group = this.groups[number];
    if (group === undefined) {
      return Buffer.alloc(0);
    }
    const end = this.readAhead ? this.size : until;
    let last = number;
    while (last < number + this.ahead && (this.groups[last + 1]?.start ?? end) < end) {
      last += 1;
    }
    // What lies outside is forgotten first, so that never more than is allowed is held.
    for (const other of this.decoded.keys()) {
      if (other < number || other > number + this.ahead) {
        this.forget(other);
      }
    }
    for (let next = number; next <= last; next += 1) {
      this.decodeGroup(next);
    }
    const entry = this.decoded.get(number);
    let content = await entry?.content;
    if (entry !== undefined && !checkedByDigest) {
      content = await this.compareWithChecks(group, entry);
    }
    this.checked.add(number);
    this.reached?.(group.offset + group.length - this.fileOffset);
    // A copy: the group's own memory is used again, and left to the garbage collector it would pile up.
    return Buffer.from(
      content?.subarray(
        position - group.start,
        Math.min(group.size, position - group.start + Math.min(max, pieceBytes)),
      ) ?? [],
    );
  }

  /** Decodes the first groups: somebody will read from the front. */
  begin(): void {
    for (let number = 0; number <= this.ahead; number += 1) {
      this.decodeGroup(number);
    }
  }

  /**
   * Decodes what nobody has read, where only the index says how large it is: were that a lie, all that lies behind it
   * would have been looked for at a wrong place.
   *
   * @throws ArchiveError `ARCHIVE_CORRUPT`
   */
  async checkRest(): Promise<void> {
    for (const [number, group] of this.certain ? [] : this.groups.entries()) {
      if (!this.checked.has(number)) {
        await this.readAt(group.start, 1, this.size);
      }
    }
  }

  close(): Promise<void> {
    for (const number of this.decoded.keys()) {
      this.forget(number);
    }
    this.spare.length = 0;
    return Promise.resolve();
  }

  private forget(number: number): void {
    const group = this.decoded.get(number);
    this.decoded.delete(number);
    group?.stop.abort();
    // What is still being decoded into is not taken back: its decoder may write a last time.
    if (group?.memory !== undefined && this.spare.length <= this.ahead) {
      this.spare.push(group.memory);
    }
  }

  /** Bytes held and being decoded. */
  get held(): number {
    return [...this.decoded.keys()].reduce((sum, number) => sum + (this.groups[number]?.size ?? 0), 0);
  }

  private decodeGroup(number: number): void {
    const group = this.groups[number];
    if (group === undefined || this.decoded.has(number)) {
      return;
    }
    const stop = new AbortController();
    const memory = this.spare.pop() ?? Buffer.allocUnsafeSlow(this.largest);
    const unchecked: StoredContent[] = [];
    const content = this.decode(group, memory.subarray(0, group.size), stop.signal, unchecked);
    const entry: Decoded = { content, unchecked, memory: undefined, stop };
    content.then(
      () => (entry.memory = memory),
      // Read ahead: an error is for whoever comes to this group.
      () => undefined,
    );
    this.decoded.set(number, entry);
  }

  /** The group's content for a reader that compares it with nothing: the file's own checks must do. */
  private compareWithChecks(group: Group, entry: Decoded): Promise<Buffer> {
    const unchecked = entry.unchecked.splice(0);
    if (!unchecked.every((stored) => stored.matches())) {
      entry.content = entry.content.then((content) => this.decodeWhole(group, content, entry.stop.signal));
    }
    return entry.content;
  }

  private groupAt(position: number): number {
    let low = 0;
    let high = this.groups.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.groups[middle]?.start ?? 0) <= position) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  private async decode(group: Group, memory: Buffer, signal: AbortSignal, unchecked: StoredContent[]): Promise<Buffer> {
    let filled = 0;
    for (const block of group.blocks) {
      const stored = await readStoredBlock(this.file, block, memory.subarray(filled), signal);
      if (stored === undefined) {
        unchecked.length = 0;
        return this.decodeWhole(group, memory, signal);
      }
      unchecked.push(stored);
      filled += block.size;
    }
    return memory;
  }

  private async decodeWhole(group: Group, memory: Buffer, signal: AbortSignal): Promise<Buffer> {
    let content: Buffer;
    try {
      content = await this.decoder.blocks(this.file, group.blocks, memory, this.label, signal);
    } catch (error) {
      if (error instanceof ArchiveError || signal.aborted) {
        throw error;
      }
      throw new ArchiveError(
        "ARCHIVE_CORRUPT",
        `${this.label}: the xz data between bytes ${group.offset} and ${group.offset + group.length} is damaged (${messageOf(error)}). Fetch or make the package again.`,
        { cause: error },
      );
    }
    if (content.length !== group.size) {
      throw new ArchiveError(
        "ARCHIVE_CORRUPT",
        `${this.label}: the xz data at byte ${group.offset} decodes to ${content.length} bytes where its index says ${group.size}. Fetch or make the package again.`,
      );
    }
    return content;
  }
}

function grouped(blocks: XzBlock[], smallest: number): Group[] {
  const groups: Group[] = [];
  let start = 0;
  for (const block of blocks) {
    const last = groups.at(-1);
    const joins =
      last !== undefined &&
      last.size + block.size <= smallest &&
      last.offset + last.length === block.offset &&
      last.blocks[0]?.flags.equals(block.flags) === true;
    if (joins) {
      last.blocks.push(block);
      last.length += block.length;
      last.size += block.size;
    } else if (block.size > 0) {
      groups.push({ blocks: [block], offset: block.offset, length: block.length, start, size: block.size });
    }
    start += block.size;
  }
  return groups;
}
