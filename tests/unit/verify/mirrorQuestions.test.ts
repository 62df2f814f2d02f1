import assert from "node:assert/strict";

import { silentLog } from "../../../provider/model/context";
import { MirrorQuestions } from "../../../provider/verify/coverage/mirrorQuestions";
import { SharedQuestions } from "../../../provider/verify/coverage/sharedQuestions";
import { Bench } from "../registry/kit/bench";

const digest = `sha256:${"a".repeat(64)}`;
const manifest = { "content-type": "application/vnd.oci.image.manifest.v1+json", "docker-content-digest": digest };

/** What mirrors are asked for coverage: as little as can be. */
describe("L4: questions to mirrors", () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.end());

  it("one HEAD an image, however many nodes ask at once", async () => {
    const server = await bench.server();
    server.script = (call) => (call.answer(200, Buffer.alloc(0), manifest), true);
    const shared = new SharedQuestions();
    const connection = { endpoint: server.url };
    const node = () =>
      shared.use((questions) => Promise.all(["1", "2", "1"].map((tag) => questions.ask(connection, "a/b", tag))));
    const answers = await Promise.all([node(), node(), node()]);
    assert.deepEqual(
      new Set(answers.flat().map((answer) => JSON.stringify(answer))),
      new Set([`{"digest":"${digest}"}`]),
    );
    assert.equal(server.seen("HEAD", /manifests/).length, 2);
    // Later nodes ask anew: what a mirror has may have changed.
    await node();
    assert.equal(server.seen("HEAD", /manifests/).length, 4);
  });

  it("a mirror that does not answer is tried for one image, and that says it for all", async () => {
    const server = await bench.server();
    const endpoint = server.url;
    await server.stop();
    const questions = new MirrorQuestions({ signal: new AbortController().signal, log: silentLog });
    const names = Array.from({ length: 50 }, (_, n) => `a/b${n}`);
    const began = performance.now();
    const answers = await Promise.all(names.map((name) => questions.ask({ endpoint }, name, "1")));
    await questions.close();
    const said = new Set(answers.map((answer) => ("error" in answer ? answer.error : JSON.stringify(answer))));
    assert.equal(said.size, 1);
    assert.match([...said].join(), /\[REGISTRY_UNREACHABLE\]/);
    assert.ok(performance.now() - began < 10_000);
  });

  it("an image that is refused says nothing of the others", async () => {
    const server = await bench.server();
    server.script = (call) => (
      call.answer((call.request.url ?? "").includes("/a/") ? 403 : 200, Buffer.alloc(0), manifest),
      true
    );
    const questions = new MirrorQuestions({ signal: new AbortController().signal, log: silentLog });
    const ask = (name: string) => questions.ask({ endpoint: server.url }, name, "1");
    const [first, second] = await Promise.all([ask("a"), ask("b")]);
    await questions.close();
    assert.ok("error" in (first ?? {}), JSON.stringify(first));
    assert.deepEqual(second, { digest });
  });
});
