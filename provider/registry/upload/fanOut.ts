import type { Readable } from "node:stream";
import { PassThrough } from "node:stream";

/**
 * One content into several readers that flow at the pace of the slowest. A reader that is destroyed drops out; the
 * content's own failure reaches all that are left.
 */
export function fanOut(content: Readable, count: number): Readable[] {
  const outs = Array.from({ length: count }, () => new PassThrough({ highWaterMark: 1024 * 1024 }));
  const live = new Set(outs);
  const pump = async (): Promise<void> => {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      await Promise.all([...live].map((out) => write(out, chunk)));
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

function write(out: PassThrough, chunk: Buffer): Promise<void> {
  if (out.destroyed || out.write(chunk)) {
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    const done = (): void => {
      out.off("drain", done).off("close", done);
      resolve();
    };
    out.on("drain", done).on("close", done);
  });
}
