import assert from "node:assert/strict";

import { silentLog } from "../../../provider/model/context";
import { NodeError } from "../../../provider/node";
import { failureLines } from "../../../provider/verify/prepull/prepulledImages";
import type { WantedImage } from "../../../provider/verify/prepull/prepullImages";
import { prepullImages } from "../../../provider/verify/prepull/prepullImages";

const context = { signal: new AbortController().signal, log: silentLog };

/** A node's image service: what lies there, and what a registry would give. */
class Images {
  readonly asked: string[] = [];
  most = 0;
  private open = 0;

  constructor(
    private readonly registry: Record<string, string>,
    readonly there: Record<string, string> = {},
  ) {}

  async imageStatus(image: string): Promise<{ repoDigests: string[] } | undefined> {
    await Promise.resolve();
    const digest = this.there[image];
    return digest === undefined ? undefined : { repoDigests: [`${image.split(":")[0]}@${digest}`] };
  }

  async pullImage(image: string): Promise<string> {
    this.asked.push(image);
    this.most = Math.max(this.most, ++this.open);
    await new Promise((resolve) => setTimeout(resolve, 2));
    this.open--;
    const digest = this.registry[image];
    if (digest === undefined) {
      throw new NodeError("NODE_CRI", "n1", `${image}: not found`);
    }
    if (digest === "interrupted") {
      throw new NodeError("NODE_ABORTED", "n1", "the operation was interrupted");
    }
    this.there[image] = digest;
    return digest;
  }
}

const wanted: WantedImage[] = [
  ...["a", "b", "c", "d"].map((name) => ({ image: `gcr.io/${name}:1`, digest: `sha256:${name}` })),
  { image: "quay.io/named:1" },
];
const registry = Object.fromEntries(wanted.map(({ image, digest = "sha256:named" }) => [image, digest]));

describe("prepull", () => {
  it("pulls each once, no more at a time than allowed; what is there with its digest is not asked for", async () => {
    const images = new Images(registry, { "gcr.io/b:1": "sha256:b", "gcr.io/c:1": "sha256:another" });
    const found = await prepullImages(images, wanted, 2, context);
    assert.deepEqual(found, { hosts: { "gcr.io": { pulled: 3, present: 1 }, "quay.io": { pulled: 1 } } });
    assert.deepEqual([...images.asked].sort(), ["gcr.io/a:1", "gcr.io/c:1", "gcr.io/d:1", "quay.io/named:1"]);
    assert.equal(images.most, 2);
  });

  it("one that does not come stops no other, nor does one that is another image; the first five are named", async () => {
    const missing = Array.from({ length: 12 }, (_, n) => ({ image: `gcr.io/missing${n}:1` }));
    const images = new Images({ ...registry, "gcr.io/a:1": "sha256:moved" });
    const found = await prepullImages(images, [...missing, ...wanted], 3, context);
    assert.deepEqual(found.hosts, { "gcr.io": { pulled: 3 }, "quay.io": { pulled: 1 } });
    assert.equal(found.failed?.length, 5);
    assert.equal(found.unnamed, 8);
    assert.match(failureLines(found).join("\n"), /^gcr\.io\/missing0:1: node: .*\n[^]*\nand 8 more$/);
    const moved = await prepullImages(images, wanted, 3, context);
    assert.match(moved.failed?.[0]?.error ?? "", /another image came under this name than was pushed, sha256:a/);
  });

  it("an interruption ends it; the next time goes on from there", async () => {
    const images = new Images({ ...registry, "gcr.io/c:1": "interrupted" });
    await assert.rejects(prepullImages(images, wanted, 1, context), { code: "NODE_ABORTED" });
    assert.deepEqual(Object.keys(images.there), ["gcr.io/a:1", "gcr.io/b:1"]);
    const rest = new Images(registry, images.there);
    const found = await prepullImages(rest, wanted, 1, context);
    assert.deepEqual(found.hosts["gcr.io"], { pulled: 2, present: 2 });
  });

  it("nothing wanted is nothing done", async () => {
    assert.deepEqual(await prepullImages(new Images({}), [], 3, context), { hosts: {} });
  });
});
