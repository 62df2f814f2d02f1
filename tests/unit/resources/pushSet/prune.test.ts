import { deepStrictEqual, match, ok, strictEqual } from "node:assert";

import type { NodeConnection } from "../../../../provider/node";
import { unknownValue } from "../../../../provider/pulumi/plainValue";
import { parseRegistryEndpoint } from "../../../../provider/registry/endpoint";
import type { FormerImage } from "../../../../provider/registry/sets/formerImages";
import { recordTag } from "../../../../provider/registry/sets/pushSetRecord";
import { PushSetBook } from "../../../../provider/resources/pushSet/book";
import { heldManifests } from "../../../../provider/resources/pushSet/heldByNodes";
import { nodesOf, prune, pruneAlone } from "../../../../provider/resources/pushSet/prune";
import { foreseePrune } from "../../../../provider/resources/pushSet/pruneForecast";
import { heldText } from "../../../../provider/resources/pushSet/pruneText";
import type { GivenPrune } from "../../../../provider/resources/pushSet/pruneWanted";
import { resolvePrune } from "../../../../provider/resources/pushSet/pruneWanted";
import { Bench } from "../../registry/kit/bench";
import type { FakeRegistry } from "../../registry/kit/fakeRegistry";
import { refusal } from "../../registry/kit/fakeRegistry";

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

describe("S6: prune as it is given", () => {
  const problems = (given: unknown): string =>
    resolvePrune(given as GivenPrune)
      .problems.map(({ text }) => text)
      .join("\n");

  it("the inputs hold the hosts, sorted, and not how they are reached", () => {
    const nodes = [{ host: "b", privateKey: "secret" }, { host: "a" }] as NodeConnection[];
    deepStrictEqual(resolvePrune({ keep: 3, nodes, running: true }).value, {
      keep: 3,
      running: true,
      nodes: ["a", "b"],
    });
    deepStrictEqual(resolvePrune(undefined), { problems: [] });
  });

  it("what is wrong with it is said by name; what is not known yet is passed over", () => {
    match(problems({ keep: 0 }), /prune\.keep: it is the number "0"; give a whole number from 1/);
    match(problems({ keep: "all" }), /prune\.keep: it is "all"; give "declared", or a whole number of pushes from 1/);
    match(problems({}), /prune\.keep: it is undefined; give "declared"/);
    match(
      problems({ keep: 1, node: [] }),
      /prune\.node: there is no such argument; did you mean nodes\? There are nodes, running/,
    );
    match(problems({ keep: 1, nodes: [{ host: "a b" }] }), /prune\.nodes\[0\]\.host: "a b" is not a host name/);
    match(problems({ keep: 1, nodes: "a" }), /prune\.nodes: it is "a"; give a list/);
    match(problems({ keep: 1, layout: "odd" }), /prune\.layout: it is "odd"/);
    match(problems("declared"), /prune: it is "declared"; give an object with keep/);
    match(problems({ keep: 1, nodes: ["10.0.0.1"] }), /prune\.nodes\[0\]: it is "10\.0\.0\.1"; give an object, /);
    strictEqual(problems({ keep: unknownValue, nodes: [{ host: unknownValue }] }), "");
  });
});

describe("S6: what nodes have, as places in the registry", () => {
  const endpoint = parseRegistryEndpoint("mirror.example:5000/ns");
  const held = (running?: boolean) =>
    heldManifests(
      [
        {
          node: "n1",
          images: [
            { image: "gcr.io/x/a:1", digest: digest("a"), also: [digest("b")], runs: true },
            { image: "mirror.example:5000/ns/x/c:1", digest: digest("c") },
            { image: "docker.io/library/imported:1", pinned: true },
            { image: digest("e") },
          ],
        },
        { node: "n2", images: [{ image: "quay.io/x/a:1", digest: digest("a") }] },
      ],
      endpoint,
      running,
    );

  it("by digest, whatever the name; by name, with the host that the mirror drops or its own", () => {
    const { digests, names, repositories } = held();
    deepStrictEqual(
      [...digests],
      [
        [digest("a"), ["n1", "n2"]],
        [digest("b"), ["n1"]],
        [digest("c"), ["n1"]],
      ],
    );
    deepStrictEqual(
      [...names],
      [
        ["ns/x/a:1", ["n1", "n2"]],
        ["ns/x/c:1", ["n1"]],
        ["ns/library/imported:1", ["n1"]],
      ],
    );
    deepStrictEqual(repositories.get("ns/x/a"), [digest("a"), digest("b")]);
  });

  it("running: only what a container was made from, or every pod needs", () => {
    const { digests, names } = held(true);
    deepStrictEqual([...digests.keys()], [digest("a"), digest("b")]);
    deepStrictEqual([...names.keys()], ["ns/x/a:1", "ns/library/imported:1"]);
  });

  it("of many nodes one is named", () => {
    strictEqual(heldText(["n1"]), "node n1 has it");
    strictEqual(heldText(["n1", "n2", "n3"], digest("a")), "node n1 and 2 more have a part of it, sha256:aaaaaaaaaaaa");
  });
});

describe("S6: what prevents pruning", () => {
  let bench: Bench;
  let server: FakeRegistry;
  const said: string[] = [];
  const former: FormerImage[] = [{ source: "gcr.io/x/a:1", digest: digest("a"), behind: 1 }];
  const inputs = { probeRepository: "registry-mirror-probe/probe", prune: { keep: "declared" as const } };
  beforeEach(async () => {
    bench = new Bench();
    server = await bench.server();
    server.tagLists = true;
    said.length = 0;
  });
  afterEach(() => bench.end());

  const subject = () => {
    const registry = bench.registry({ endpoint: `${server.url}/ns` });
    const log = { ...bench.context.log, warn: (text: string) => void said.push(text) };
    const context = { ...bench.context, log };
    const book = new PushSetBook(
      registry,
      inputs,
      { token: "mine", repository: "registry-mirror-probe/sets" },
      context,
    );
    return { context, images: [], former, registry, book };
  };
  const run = async (nodes?: string[], connections: NodeConnection[] = []): Promise<FormerImage[]> => {
    const { context, ...rest } = subject();
    return prune(rest, { ...inputs.prune, ...(nodes === undefined ? {} : { nodes }) }, connections, context);
  };
  const foresee = async (past = former, nodes?: string[], connections: NodeConnection[] = []) => {
    const { context, ...rest } = subject();
    const wanted = { ...inputs.prune, ...(nodes === undefined ? {} : { nodes }) };
    return foreseePrune({ ...rest, former: past }, wanted, () => nodesOf(wanted, connections, context));
  };
  const nobody: NodeConnection = { host: "127.0.0.1", port: 9, insecureIgnoreHostKey: true, privateKey: "no key" };

  it("a node that does not say what it has: nothing goes, and both say which node", async () => {
    deepStrictEqual(await run(["127.0.0.1"], [nobody]), former);
    match(said.join("\n"), /nothing was pruned from .*, because it is not known what a node runs: .*127\.0\.0\.1/);
    const { goes, lines, warnings } = await foresee(former, ["127.0.0.1"], [nobody]);
    strictEqual(goes, 0);
    deepStrictEqual(lines, [
      'prune (keep: "declared"): 1 earlier image would go, unless a node has it',
      "  ? gcr.io/x/a:1 sha256:aaaaaaaaaaaa",
    ]);
    match(warnings.join("\n"), /nothing is pruned as long as it is not known what a node runs: .*127\.0\.0\.1/);
    strictEqual(server.seen("DELETE", /./).length, 0);
  });

  it("a preview does not promise to delete what another push set may have: the registry is asked in the update", async () => {
    const { goes, lines } = await foresee(former, [], []);
    strictEqual(goes, 1);
    deepStrictEqual(lines, [
      'prune (keep: "declared"): 1 earlier image goes, unless another push set has it',
      "  - gcr.io/x/a:1 sha256:aaaaaaaaaaaa",
    ]);
  });

  it("nodes that this run was not told how to reach count as such", async () => {
    deepStrictEqual(await run(["10.0.0.1"], []), former);
    match(said.join("\n"), /how to reach the nodes is not known in this run.*\[UNEXPECTED\]/);
    const { lines } = await foresee(former, [unknownValue]);
    strictEqual(lines.length, 2);
  });

  it("a registry that refuses is told the way out, remembered, and asked with a digest that nobody has", async () => {
    server.script = ({ method, answer }) =>
      method === "DELETE" ? (answer(405, refusal("UNSUPPORTED", "no")), true) : false;
    const refused = await run();
    deepStrictEqual(refused, [{ ...former[0], refused: "REGISTRY_DELETE_DISABLED" }]);
    const wayOut =
      /1 earlier image stays in .*REGISTRY_STORAGE_DELETE_ENABLED=true.*\[REGISTRY_DELETE_DISABLED\].*tries again/;
    match(said.join("\n"), wayOut);
    const again = await foresee(refused);
    deepStrictEqual([again.goes, again.lines], [0, []]);
    match(again.warnings.join("\n"), wayOut);
    server.script = undefined;
    strictEqual((await foresee(refused)).goes, 1);
    const asked = server.seen("DELETE", /ns\/x\/a\/manifests/).map(({ path }) => path);
    strictEqual(new Set(asked).size, asked.length);
    strictEqual(asked.filter((path) => path.endsWith(digest("a"))).length, 1, "only by the update");
    deepStrictEqual(await run(), []);
  });

  it("who may not delete is told by which right", async () => {
    server.script = ({ method, answer }) =>
      method === "DELETE" ? (answer(403, refusal("DENIED", "no")), true) : false;
    const [image] = await run();
    strictEqual(image?.refused, "REGISTRY_DENIED");
  });

  it("a failure that passes is no refusal, and one image's refusal is not asked about again", async () => {
    server.script = ({ method, answer }) => (method === "DELETE" ? (answer(500), true) : false);
    deepStrictEqual(await run(), former);
    server.script = ({ method, answer }) => (method === "DELETE" ? (answer(412), true) : false);
    const refused = await run();
    deepStrictEqual(refused, [{ ...former[0], refused: "REGISTRY_REFUSED" }]);
    server.script = undefined;
    strictEqual((await foresee(refused)).goes, 0);
  });

  it("PRUNE_RECORD_UNREADABLE: a record of somebody else's that cannot be read: nothing goes", async () => {
    const tag = `ns/registry-mirror-probe/sets:${recordTag({ token: "theirs" })}`;
    server.tags.set(tag, digest("f"));
    server.manifests.set(`ns/registry-mirror-probe/sets@${digest("f")}`, { mediaType: "x", bytes: Buffer.from("{}") });
    server.script = ({ method, path, answer }) =>
      method === "GET" && path.endsWith("set-theirs") ? (answer(200, "{}"), true) : false;
    const [image] = await run();
    strictEqual(image?.refused, "PRUNE_RECORD_UNREADABLE");
    match(said.join("\n"), /set-theirs: this record of another push set cannot be read.*\[PRUNE_RECORD_UNREADABLE\]/);
    strictEqual((await foresee([image])).goes, 0);
    strictEqual(server.seen("DELETE", /./).length, 0);
  });

  it("what is within keep, or means the same as something declared, is no matter of a forecast", async () => {
    const { context: _context, ...rest } = subject();
    const nobodyAsked = () => Promise.reject(new Error("asked"));
    const kept = await foreseePrune(rest, { keep: 2 }, nobodyAsked);
    deepStrictEqual(kept, { goes: 0, lines: [], warnings: [] });
    const images = [{ source: "gcr.io/x/a:2", digest: digest("a") }];
    deepStrictEqual((await foreseePrune({ ...rest, images }, { keep: 1 }, nobodyAsked)).lines, []);
    deepStrictEqual(server.requests, []);
  });

  it("without anything to prune the registry is not asked; one that is gone is a warning", async () => {
    const { context } = subject();
    const entry = { connection: { endpoint: `${server.url}/ns` }, argument: "registry" };
    await pruneAlone(entry, { images: [], former: [] }, inputs, [], context);
    deepStrictEqual(server.requests, []);
    server.script = ({ answer }) => (answer(401), true);
    const left = await pruneAlone(entry, { images: [], former }, inputs, [], context);
    deepStrictEqual(left.former, former);
    ok(said.some((text) => text.startsWith("nothing was pruned from")));
  });
});
