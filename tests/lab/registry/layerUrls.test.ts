import { deepStrictEqual, match, strictEqual } from "node:assert";

import { messageOf } from "../../../provider/model/errors";
import type { RegistryConnection } from "../../../provider/registry/connection";
import type { RegistryError } from "../../../provider/registry/registryError";
import { type Lab, type LabRegistry, sharedLabOrSkip } from "../lab";
import { Layout } from "./kit/layout";
import { mustHave, pushTo } from "./kit/pushing";
import { ask } from "./kit/readBack";

/** The policy of a user's push, with its seven tries. */
const patient = { retry: { attempts: 7, firstDelayMs: 400, maxDelayMs: 20_000, maxRetryAfterMs: 300_000 } };
const accept = { accept: "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json" };

describe("non-distributable layers, which have URLs of their own", function () {
  let lab: Lab;
  let refusing: LabRegistry;
  let allowing: LabRegistry;
  let layout: Layout;
  let far: string;
  let children: Record<string, string>;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    refusing = await lab.addRegistry({ name: "no-layer-urls", auth: "none" });
    allowing = await lab.addRegistry({ name: "layer-urls", auth: "none", layerUrls: true });
    layout = new Layout();
    const elsewhere = layout.elsewhere("https://vendor.example/layer");
    far = elsewhere.digest;
    layout.image("gcr.io/x/windows:1", [elsewhere, layout.layer(1000)]);
    layout.image("gcr.io/x/plain:1", [layout.layer(1001)]);
    children = layout.index("gcr.io/x/both:1", { amd64: [layout.layer(1002)], arm64: [layout.layer(1003), elsewhere] });
  });
  after(() => layout?.remove());

  const connection = (registry: LabRegistry): RegistryConnection => ({
    endpoint: `${registry.hostPort}/ns`,
    caCertPath: lab.privateAuthority.certPath,
  });
  const digestOf = async (registry: LabRegistry, path: string): Promise<unknown> =>
    (await ask(registry, "HEAD", `/v2/ns/${path}`, accept)).headers["docker-content-digest"];

  it("a registry that takes no such manifest (distribution's default): said at once, with the way out; the others are there", async () => {
    const warnings: string[] = [];
    const { failures, images } = await pushTo(connection(refusing), layout.root, {
      limits: patient,
      warn: (text) => warnings.push(text),
    });
    const refused = refusing.requests().filter(({ method, status }) => method === "PUT" && status >= 400);
    strictEqual(new Set(refused.map(({ path }) => path)).size, refused.length, "tried again");
    deepStrictEqual(
      failures.map((failure) => failure.source),
      ["gcr.io/x/windows:1"],
    );
    strictEqual((failures[0]?.error as RegistryError).code, "REGISTRY_LAYER_URLS");
    match(
      messageOf(failures[0]?.error),
      new RegExp(
        `takes no manifest with a non-distributable layer.*\\(${far} from https://vendor.example/layer\\).*manifests\\.urls\\.allow.*exclude`,
      ),
    );
    strictEqual(
      refusing.requests().filter(({ method, path }) => method === "PUT" && path.endsWith("/x/windows/manifests/1"))
        .length,
      1,
    );
    await mustHave(refusing, "ns", layout, ["gcr.io/x/plain:1"]);
    // What of the index the package lacks is that layer: the registry does not take the child without it.
    deepStrictEqual(warnings, [
      "the package does not hold all that an image's manifests name; the mirror will not have:\n  - gcr.io/x/both:1: linux/arm64",
    ]);
    strictEqual(await digestOf(refusing, "x/both/manifests/1"), children["amd64"]);
    strictEqual(images.find(({ source }) => source === "gcr.io/x/both:1")?.preserved, false);
  });

  it("a registry that takes them: pushed without the layer, which is said", async () => {
    const warnings: string[] = [];
    const { failures } = await pushTo(connection(allowing), layout.root, { warn: (text) => warnings.push(text) });
    deepStrictEqual(failures, []);
    const layer = `layer ${far.slice(0, 19)}, which nodes fetch from vendor.example`;
    deepStrictEqual(warnings, [
      `the package does not hold all that the manifests of 2 images name; the mirror will not have:\n  - gcr.io/x/both:1: ${layer}\n  - gcr.io/x/windows:1: ${layer}`,
    ]);
    for (const [name, digest] of layout.images) {
      const [, path, tag] = /^gcr\.io\/(.+):(.+)$/.exec(name) as unknown as [string, string, string];
      strictEqual(await digestOf(allowing, `${path}/manifests/${tag}`), digest, name);
    }
    strictEqual((await ask(allowing, "HEAD", `/v2/ns/x/windows/blobs/${far}`)).status, 404);
  });
});
