import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert";
import { Readable } from "node:stream";

import { sha256 } from "../../../provider/model/digest";
import { Pace } from "../../../provider/registry/http/pace";
import type { Registry } from "../../../provider/registry/registry";
import { Bench } from "./kit/bench";
import type { FakeRegistry } from "./kit/fakeRegistry";

const megabyte = 1_000_000;

describe("limits that a program sets for a registry", () => {
  let bench: Bench;
  let server: FakeRegistry;
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
  });
  afterEach(() => bench.end());

  const secondsOf = async (work: () => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    await work();
    return (performance.now() - began) / 1000;
  };
  /**
   * The rate that was reached is never above the one that was given. How far below depends on what else the machine does,
   * which the same without a limit shows.
   */
  function checkPace(bytes: number, bytesPerSecond: number, seconds: number, unlimited: number): void {
    // What may be made up for counts once.
    const least = (bytes - 0.2 * bytesPerSecond) / bytesPerSecond;
    ok(seconds >= least / 1.05, `${seconds} s instead of ${least}`);
    ok(seconds <= 2 * least + 5 * unlimited, `${seconds} s instead of ${least}, ${unlimited} without a limit`);
  }

  const content = (fill: string): Buffer => Buffer.alloc(megabyte, fill);
  const stream = (bytes: Buffer) => ({
    digest: sha256(bytes),
    size: bytes.length,
    open: () => Readable.from([bytes], { objectMode: false }),
  });

  it("maxBytesPerSecond: uploads from memory and streams, side by side, and what comes back", async () => {
    const rate = 3 * megabyte;
    const slow = bench.registry({ endpoint: server.url, maxBytesPerSecond: rate });
    const free = bench.registry(server);
    const blobs = ["a", "b", "c"].map(content);
    const upload = (registry: Registry, name: string): Promise<number> =>
      secondsOf(() =>
        Promise.all([
          ...blobs.map((bytes) => registry.uploadBlob(`${name}-streamed`, stream(bytes))),
          ...blobs.map((bytes) => registry.uploadBlob(`${name}-held`, { ...stream(bytes), bytes })),
        ]),
      );
    const download = (registry: Registry): Promise<number> =>
      secondsOf(() => Promise.all(blobs.map((bytes) => length(registry.downloadBlob("slow-held", stream(bytes))))));
    checkPace(6 * megabyte, rate, await upload(slow, "slow"), await upload(free, "free"));
    for (const bytes of blobs) {
      ok(server.hasBlob("slow-streamed", sha256(bytes)) && server.hasBlob("slow-held", sha256(bytes)));
    }
    checkPace(3 * megabyte, rate, await download(slow), await download(free));
  });

  it("maxBytesPerSecond: what was not used in a pause is not made up for", async () => {
    const { signal } = new AbortController();
    const pace = new Pace(megabyte);
    await pace.take(1000, signal);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const began = performance.now();
    for await (const piece of pace.slow([content("p").subarray(0, megabyte / 2)], signal)) {
      ok(piece.length <= 20_000);
    }
    ok(performance.now() - began > 250, String(performance.now() - began));
  });

  it("maxBytesPerSecond: an abort does not wait for its turn", async () => {
    const controller = new AbortController();
    const pace = new Pace(10);
    await pace.take(1000, controller.signal);
    setTimeout(() => controller.abort(new Error("cancelled")), 20);
    await rejects(pace.take(1, controller.signal), /cancelled/);
  });

  it("maxParallel: requests, and downloads to their end", async () => {
    let now = 0;
    let most = 0;
    const enter = (): void => void (most = Math.max(most, ++now));
    server.script = async ({ method, response }) => {
      enter();
      response.once("close", () => now--);
      if (method === "HEAD") {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return false;
    };
    const registry = bench.registry({ endpoint: server.url, maxParallel: 2 });
    await Promise.all(Array.from({ length: 12 }, (_, n) => registry.hasBlob("x", sha256(String(n)))));
    strictEqual(most, 2);

    const blobs = ["a", "b", "c", "d", "e"].map(content);
    for (const bytes of blobs) {
      server.blobs.set(`x@${sha256(bytes)}`, bytes);
    }
    most = 0;
    const readers = blobs.map((bytes) => registry.downloadBlob("x", stream(bytes)));
    const lengths = readers.map(length);
    // A download that is under way keeps no request waiting.
    strictEqual(await registry.hasBlob("x", sha256(blobs[0] as Buffer)), true);
    deepStrictEqual(
      await Promise.all(lengths),
      blobs.map(() => megabyte),
    );
    ok(most <= 3, `${most} at a time`);
  });

  it("maxParallel: a reader that gives up makes room for the next", async () => {
    const bytes = content("a");
    server.blobs.set(`x@${sha256(bytes)}`, bytes);
    const registry = bench.registry({ endpoint: server.url, maxParallel: 1 });
    const first = registry.downloadBlob("x", stream(bytes));
    await new Promise((resolve) => first.once("readable", resolve));
    first.destroy();
    strictEqual(await length(registry.downloadBlob("x", stream(bytes))), megabyte);
  });
});

async function length(content: Readable): Promise<number> {
  let bytes = 0;
  for await (const piece of content as AsyncIterable<Buffer>) {
    bytes += piece.length;
  }
  return bytes;
}
