import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";

import { MirrorError } from "../../../../provider/model/errors";
import { comparedInputs, isUpToDate } from "../../../../provider/resources/pushSet/comparison";
import { inspectPackage } from "../../../../provider/resources/pushSet/package";
import { push } from "../../../../provider/resources/pushSet/push";
import { resolveSignature } from "../../../../provider/resources/pushSet/signature";
import type { ImageSource } from "../../../../provider/resources/pushSet/sources";
import type { PushSetInputs, PushSetOutputs } from "../../../../provider/resources/pushSet/state";
import { image, layer } from "../../archive/make/image";
import { writePackage } from "../../archive/make/pack";
import { Bench } from "../../archive/make/read";
import { layout, named } from "../../archive/make/shapes";
import { Signer } from "../../archive/make/signing";
import { Bench as RegistryBench } from "../../registry/kit/bench";

describe("a push set's signature, without a Pulumi program", function () {
  const bench = new Bench();
  const registries = new RegistryBench();
  let source: string;
  let mine: { secret: string; pem: string; der: string };
  let other: typeof mine;
  before(async () => {
    await bench.open();
    const signer = new Signer(bench.folder);
    source = await writePackage(
      bench.folder,
      layout([named(image("one", [layer("one")]), "gcr.io/a/one:1")]),
      "tar.xz",
    );
    [mine, other] = [signer.key("mine"), signer.key("other")];
    signer.sign(mine.secret, source);
  });
  after(async () => {
    await registries.end();
    await bench.close();
  });
  const text = (file: string): string => readFileSync(file, "utf8");
  const inspected = async (given: ImageSource | ImageSource[], signature?: object): Promise<string[]> => {
    const resolved = resolveSignature(signature);
    const { problems } = await inspectPackage({
      source: given,
      ...(resolved.value === undefined ? {} : { signature: resolved.value }),
      spoolDir: bench.spoolDir,
    });
    return [...resolved.problems, ...problems].map(({ code }) => code);
  };

  it("S5: a preview says what is wrong with signature and key, of each package", async () => {
    assert.deepEqual(await inspected(source, { publicKeyPath: mine.pem }), []);
    assert.deepEqual(await inspected(source, { publicKeyPath: mine.der }), []);
    assert.deepEqual(await inspected(source, { publicKey: text(mine.pem), path: `${source}.1.sig` }), []);
    assert.deepEqual(await inspected(source, { publicKeyPath: other.pem }), ["SIGNATURE_WRONG"]);
    assert.deepEqual(await inspected(source, { publicKey: text(mine.pem), path: "none.sig" }), ["SIGNATURE_MISSING"]);
    assert.deepEqual(await inspected(source, {}), ["SIGNATURE_KEY_INVALID"]);
    assert.deepEqual(await inspected(source, { publicKey: text(mine.pem), publicKeyPath: mine.pem }), [
      "SIGNATURE_KEY_INVALID",
    ]);
    assert.deepEqual(await inspected(source, { publicKeyPath: "none.pem" }), ["FILE_UNREADABLE"]);
    assert.deepEqual(await inspected(source, { publicKeyPath: 1 }), ["ARGUMENTS_INVALID"]);
    const second = join(bench.folder, "second.tar.xz");
    await copyFile(source, second);
    assert.deepEqual(await inspected([source, second], { publicKeyPath: mine.pem }), ["SIGNATURE_MISSING"]);
    assert.deepEqual(await inspected([source, second], { publicKeyPath: mine.pem, path: `${source}.1.sig` }), [
      "SIGNATURE_UNFIT",
    ]);
    const list = { images: ["public.example/a:1"] };
    assert.deepEqual(await inspected(list, { publicKeyPath: mine.pem }), ["SIGNATURE_UNFIT"]);
    assert.deepEqual(
      await inspected(join(bench.folder, "gone.tar"), { publicKeyPath: mine.pem }),
      [],
      "check knows whether it was pushed",
    );
  });

  it("S5: a push sends nothing of a package that the signature does not fit", async () => {
    const server = await registries.server();
    const inputs = (key: string): PushSetInputs => ({
      source,
      signature: { publicKey: text(key) },
      registry: { endpoint: server.url },
      probeRepository: false,
      spoolDir: bench.spoolDir,
    });
    await assert.rejects(push(inputs(other.pem), undefined, registries.context), (error: unknown) => {
      return error instanceof MirrorError && error.code === "SIGNATURE_WRONG";
    });
    assert.deepEqual(
      server.requests.filter(({ method }) => method !== "GET").map(({ path }) => path),
      [],
    );
    const { outs, failure } = await push(inputs(mine.pem), undefined, registries.context);
    assert.equal(failure, undefined);
    assert.deepEqual(
      outs.images.map((one) => one.source),
      ["gcr.io/a/one:1"],
    );
    assert.ok(server.requests.some(({ method }) => method === "PUT"));
  });

  it("S5: another signature or key is an update that pushes nothing", () => {
    const olds = {
      source,
      fingerprint: "a",
      signature: { publicKey: "a" },
      registry: { endpoint: "10.0.0.5:5000" },
      images: [],
    } as unknown as PushSetOutputs;
    for (const signature of [undefined, { publicKey: "b" }, { publicKey: "a", path: "elsewhere" }]) {
      const news = { ...olds, signature } as PushSetInputs;
      assert.equal(isUpToDate(olds, news), true);
      assert.notDeepEqual(comparedInputs(olds), comparedInputs(news));
    }
  });
});
