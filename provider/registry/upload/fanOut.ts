import type { Readable } from "node:stream";
import { PassThrough } from "node:stream";

/** When a reader that holds up the others drops out. */
interface Patience {
  patienceMs: number;
  /** What its stream, by its place among all, is destroyed with. */
  reason: (at: number) => Error;
}

/**
 * One content into several readers that flow at the pace of the slowest. A reader that is destroyed drops out, and so does
 * one that takes nothing for a while when another one has taken all there is; the content's own failure reaches all that
 * are left.
 */
export function fanOut(content: Readable, count: number, patience: Patience): Readable[] {
  const outs = Array.from({ length: count }, () => new PassThrough({ highWaterMark: 1024 * 1024 }));
  const live = new Set(outs);
  const dropLate = (out: PassThrough): void => void out.destroy(patience.reason(outs.indexOf(out)));
  const pump = async (): Promise<void> => {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      await writeAll(live, chunk, patience.patienceMs, dropLate);
      if (live.size === 0) {
        // Leaving the loop destroys the content.
        return;
      }
    }
    for (const out of live) {
      out.end();
    }
  };
  for (const out of outs) {
    out.once("close", () => live.delete(out));
    out.on("error", () => live.delete(out));
  }
  pump().catch((error: unknown) => {
    for (const out of [...live]) {
      out.destroy(error as Error);
    }
  });
  return outs;
}

async function writeAll(
  live: ReadonlySet<PassThrough>,
  chunk: Buffer,
  patienceMs: number,
  dropLate: (out: PassThrough) => void,
): Promise<void> {
  const late = new Set([...live].filter((out) => !out.destroyed && !out.write(chunk)));
  if (late.size === 0) {
    return;
  }
  const isAll = late.size === live.size;
  const drained = [...late].map((out) => drain(out).then(() => late.delete(out)));
  const timer = setTimeout(() => {
    // While all are late, nobody waits for anybody.
    for (const out of isAll && late.size === drained.length ? [] : late) {
      dropLate(out);
    }
  }, patienceMs);
  try {
    await Promise.all(drained);
  } finally {
    clearTimeout(timer);
  }
}

function drain(out: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      out.off("drain", done).off("close", done);
      resolve();
    };
    out.on("drain", done).on("close", done);
  });
}
