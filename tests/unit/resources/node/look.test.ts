import assert from "node:assert/strict";

import type { LayoutChoice } from "../../../../provider/containerd/layout/layouts";
import { silentLog } from "../../../../provider/model/context";
import { describeLooks } from "../../../../provider/resources/cluster/lookText";
import { isDeclaredFile } from "../../../../provider/resources/node/declaredFile";
import { inspectNode } from "../../../../provider/resources/node/inspect";
import type { Look, NodeLook } from "../../../../provider/resources/node/look";
import { describeLook, lookAtNode, summarizeLook } from "../../../../provider/resources/node/look";
import type { LookWire } from "../../../../provider/resources/node/lookReview";
import { LookReviews, problemLines, sinceLeft } from "../../../../provider/resources/node/lookReview";
import type { NodeCoverage } from "../../../../provider/verify/coverage/coverage";
import type { LookArgs } from "../../../../sdk/node/look";
import type { MirrorSource } from "../../../../sdk/node/nodeContainerd";
import { NodeContainerd } from "../../../../sdk/node/nodeContainerd";
import { Turns } from "../../../../sdk/turns";

const first: NodeLook = {
  version: "1.7.24",
  configStyle: "hosts-dir",
  restart: true,
  changed: true,
  files: [
    { path: "/etc/containerd/certs.d/gcr.io/hosts.toml", change: "new", lines: [] },
    { path: "/etc/containerd/certs.d/quay.io/hosts.toml", change: "new", lines: [] },
    { path: "/etc/containerd/config.toml", change: "changed", lines: ["+ a", "+ b", "- c"] },
    { path: "/etc/containerd/certs.d/old.io/hosts.toml", change: "removed", lines: ["- d"] },
    { path: "/etc/containerd/certs.d/theirs.io/hosts.toml", change: "restored", lines: ["- e", "+ f"] },
  ],
  notes: ["a table is carried over"],
};
const nothing: NodeLook = { ...first, restart: false, changed: false, files: [], notes: [] };
const owner = { urn: "urn:pulumi:s::p::t::n", token: "00000000000000aa" };
const plain = { adopt: undefined, coverage: undefined };
const wire = (look: Look, onProblem: LookWire["onProblem"] = "warn"): LookWire => ({ look, onProblem });

describe("L1: what a look says", () => {
  it("in one line, and in full", () => {
    assert.equal(
      summarizeLook(first),
      "2 files new, 1 file removed, 1 file restored, containerd/config.toml +2 -1 lines, containerd 1.7.24 restarts once",
    );
    assert.equal(summarizeLook(nothing), "nothing to write, containerd 1.7.24 does not restart");
    assert.deepEqual(describeLook({ ...first, unfinished: true }).flat(), [
      "an earlier run was interrupted there: what it had begun is taken back first",
      "/etc/containerd/certs.d/gcr.io/hosts.toml (new)",
      "/etc/containerd/certs.d/quay.io/hosts.toml (new)",
      "/etc/containerd/config.toml",
      "  + a",
      "  + b",
      "  - c",
      "/etc/containerd/certs.d/old.io/hosts.toml (removed)",
      "  - d",
      "/etc/containerd/certs.d/theirs.io/hosts.toml (restored: what stood there before us)",
      "  - e",
      "  + f",
      "a table is carried over",
    ]);
  });

  it("of nodes with the same plan in full at the first one", () => {
    const reviews = new LookReviews();
    const one = reviews.review(wire({ looked: first }), "10.0.0.1", owner, plain);
    const two = reviews.review(wire({ looked: first }), "10.0.0.2", owner, plain);
    assert.equal(one.notes.length, 13);
    assert.deepEqual(two.notes, [summarizeLook(first), "the same as on 10.0.0.1"]);
    assert.equal(two.status, summarizeLook(first));
  });

  it("L4: of nodes with the same coverage in full at the first one, and what the second one has alike is named", () => {
    const gap = { image: "quay.io/a/b:1", host: "quay.io", status: "missing" as const };
    const covered = (counts: NodeCoverage["counts"], gaps: NodeCoverage["gaps"]): NodeLook => ({
      ...first,
      coverage: { counts, gaps },
    });
    const reviews = new LookReviews();
    const other = { ...nothing, coverage: covered({ served: 1, missing: 1 }, [gap]).coverage };
    const [one, two] = [covered({ served: 1, missing: 1 }, [gap]), other].map((looked, at) =>
      reviews.review(wire({ looked }), `10.0.0.${at + 1}`, owner, plain),
    );
    assert.deepEqual(one?.notes.slice(-2), [
      "1 of 2 images would come from the mirror if the public registries were gone",
      "  quay.io/a/b:1: the mirror does not have it",
    ]);
    assert.deepEqual(two?.notes, [summarizeLook(nothing), "coverage: the same as on 10.0.0.1"]);
    // One line is as short as a reference to it.
    const whole = covered({ served: 2 }, []);
    const last = ["10.0.0.3", "10.0.0.4"].map((host) =>
      reviews.review(wire({ looked: whole }), host, owner, plain).notes.at(-1),
    );
    assert.deepEqual(
      last,
      Array(2).fill("2 of 2 images would come from the mirror if the public registries were gone"),
    );
  });

  it("of nodes that differ in one file: the others are told once, each below its path", () => {
    const reviews = new LookReviews();
    const [gcr, quay, toml] = ["/d/gcr.io/hosts.toml", "/d/quay.io/hosts.toml", "/etc/registries.yaml"];
    const of = (line: string): NodeLook => ({
      ...first,
      files: [
        { path: gcr, change: "new", lines: ["+ a", "+ b"] },
        { path: quay, change: "new", lines: [] },
        { path: toml, change: "changed", lines: ["+ x", line] },
      ],
      notes: ["a note"],
    });
    const notes = (host: string, look: NodeLook): string[] =>
      reviews.review(wire({ looked: look }), host, owner, plain).notes.slice(1);
    assert.equal(notes("10.0.0.1", of("- y")).length, 8);
    assert.deepEqual(notes("10.0.0.2", of("- z")), [
      `${gcr} (new)`,
      "  the same as on 10.0.0.1",
      `${quay} (new)`,
      toml,
      "  + x",
      "  - z",
      "a note",
    ]);
    assert.deepEqual(notes("10.0.0.3", of("- z")), ["the same as on 10.0.0.2"]);
  });

  it("of a new file: its lines, unless the mirror's own preview has them; also in another hosts directory", () => {
    const [declared, here] = ["/etc/containerd/certs.d", "/var/lib/k3s/certs.d"];
    const text = (ca: string, login = "{{credential m:5000}}"): string =>
      `[host."https://m:5000"]\n  ca = "${ca}/m:5000/ca.crt"\n  header.authorization = "${login}"\n`;
    const files = { [`${declared}/gcr.io/hosts.toml`]: text(declared), [`${declared}/m:5000/ca.crt`]: "CA" };
    const credentials = { "m:5000": { username: "u", password: "p" } };
    const is = (path: string, written: string, cas = path.split("/").slice(0, -2).join("/")): boolean =>
      isDeclaredFile({ path, text: written }, { hostsDir: declared, files }, credentials, [
        path,
        `${cas}/m:5000/ca.crt`,
      ]);
    assert.ok(is(`${declared}/gcr.io/hosts.toml`, text(declared, "Basic dTpw")));
    assert.ok(is(`${here}/gcr.io/hosts.toml`, text(here, "Basic dTpw")));
    assert.ok(is(`${here}/gcr.io/hosts.toml`, text("/etc/cas", "Basic dTpw"), "/etc/cas"), "CAs of their own");
    assert.ok(is(`/etc/cas/m:5000/ca.crt`, "CA"));
    assert.ok(!is(`${here}/gcr.io/hosts.toml`, text(declared, "Basic dTpw")), "a CA that is not there");
    assert.ok(!is(`${here}/quay.io/hosts.toml`, text(here, "Basic dTpw")));
    assert.ok(!is(`${declared}/gcr.io/hosts.toml`, "# drawn anew\n"), "drawn in another way for this node");
  });

  it("of a node that is another's, of one with problems, and of one that cannot be looked at yet", () => {
    const reviews = new LookReviews();
    const theirs = { urn: "urn:pulumi:other::p::t::n", token: "00000000000000bb" };
    const owned = reviews.review(wire({ looked: { ...first, owner: theirs } }), "n", owner, plain);
    assert.deepEqual(
      owned.problems.map(({ code }) => code),
      ["NODE_OWNED"],
    );
    assert.equal(owned.status, "pulumi up would fail here");
    const adopted = reviews.review(wire({ looked: { ...first, owner: theirs } }), "n", owner, {
      ...plain,
      adopt: true,
    });
    assert.deepEqual(adopted.problems, []);
    const ours = reviews.review(wire({ looked: { ...first, owner } }), "n", owner, plain);
    assert.deepEqual(ours.problems, []);

    const problems = [{ code: "NODE_SUDO" as const, text: "Node n: no sudo." }];
    const refused = reviews.review(wire({ problems }), "n", owner, plain);
    assert.deepEqual(problemLines(refused.problems), ["pulumi up would fail: Node n: no sudo. [NODE_SUDO]"]);
    const later = reviews.review(wire({ unknown: "its address is known in the update" }), "n", owner, plain);
    assert.deepEqual(later, { status: "not looked at: its address is known in the update", notes: [], problems: [] });
  });

  it("of a node for which nothing new is declared: what others changed there, and nothing of one out of reach", () => {
    assert.deepEqual(sinceLeft({ looked: nothing }, summarizeLook(nothing), []), []);
    assert.deepEqual(sinceLeft({ looked: first }, "1 file removed", []), [
      "not as it was left (1 file removed); pulumi refresh takes that into the state, and pulumi up repairs it",
    ]);
    const broken = [{ code: "CONTAINERD_REGISTRIES" as const, text: "Node n: no valid YAML." }];
    assert.deepEqual(sinceLeft({ problems: broken }, "pulumi up would fail here", broken), [
      "not as it was left: pulumi up does nothing here, and a change would fail: Node n: no valid YAML. [CONTAINERD_REGISTRIES]",
    ]);
    const away = [{ code: "NODE_UNREACHABLE" as const, text: "Node n: no route." }];
    assert.deepEqual(sinceLeft({ problems: away }, "pulumi up would fail here", away), []);
  });

  it("L4: of a node whose images must all be in the mirror, and are not", () => {
    const reviews = new LookReviews();
    const need = { adopt: undefined, coverage: "error" as const };
    const gap = { image: "quay.io/a:1", status: "not-mirrored" as const };
    const bare = { ...first, coverage: { counts: { "not-mirrored": 1 }, gaps: [gap] } };
    const refused = reviews.review(wire({ looked: bare }), "n", owner, need);
    assert.equal(refused.status, "pulumi up would fail here");
    assert.match(problemLines(refused.problems).join(), /Node n: 0 of 1 image would come.*\[COVERAGE_GAPS\]/);
    assert.ok(refused.notes.some((line) => line.includes("quay.io/a:1: no mirror is asked for its host")));
    assert.deepEqual(reviews.review(wire({ looked: bare }), "n", owner, plain).problems, []);
    const covered = { ...first, coverage: { counts: { served: 1 }, gaps: [] } };
    assert.deepEqual(reviews.review(wire({ looked: covered }), "n", owner, need).problems, []);
    // A node that does not list its images is not covered by silence.
    const silent = reviews.review(wire({ looked: first }), "n", owner, need);
    assert.match(problemLines(silent.problems).join(), /does not list its images/);
  });

  it("of a layout that is not declared rightly: that, and no dial", async () => {
    const request = {
      connection: { host: "127.0.0.1", port: 1 },
      declaration: { hosts: [], auth: {}, hostsDir: "/etc/containerd/certs.d", files: {} },
      credentials: {},
      timeout: 5,
    };
    const context = { signal: new AbortController().signal, log: silentLog };
    for (const layout of ["K3S", { configPath: "/a/b" }, 5] as unknown as LayoutChoice[]) {
      const looked = await lookAtNode({ ...request, layout }, context);
      assert.equal(looked.problems?.[0]?.code, "ARGUMENTS_INVALID", JSON.stringify(layout));
      const inspected = await inspectNode(request.connection, undefined, { timeout: 5, layout }, context);
      assert.equal(inspected.problems[0]?.code, "ARGUMENTS_INVALID", JSON.stringify(layout));
    }
  });

  it("with arguments that no look can be made by: the constructor says so", () => {
    const wrong = [
      { maxParallel: 0 },
      { timeout: -1 },
      { timeout: "abc" },
      { onProblem: "eror" },
      { coverage: "no" },
      true,
    ];
    for (const look of wrong as unknown as LookArgs[]) {
      assert.throws(
        () => new NodeContainerd("n", { connection: { host: "h" }, mirror: {} as MirrorSource, look }),
        /NodeContainerd: look\S*: it is .*; give .* \[ARGUMENTS_INVALID\]/,
        JSON.stringify(look),
      );
    }
  });

  it("is handed from check to diff by the resource's URN", () => {
    const reviews = new LookReviews();
    const given = wire({ looked: nothing }, "error");
    assert.deepEqual(reviews.remember(owner.urn, JSON.stringify(given)), given);
    assert.deepEqual(reviews.get(owner.urn), given);
    assert.equal(reviews.remember(owner.urn, undefined), undefined);
    assert.equal(reviews.get("another"), undefined);
  });

  it("of a cluster: nodes by their plan, and nothing where no node has anything to do", () => {
    const seen = (address: string, look: Look) => ({ address, look });
    assert.deepEqual(
      describeLooks([
        seen("10.0.0.1", { looked: first }),
        seen("10.0.0.2", { looked: nothing }),
        seen("10.0.0.3", { looked: first }),
        seen("10.0.0.4", { problems: [{ code: "NODE_SUDO", text: "x" }] }),
        seen("10.0.0.5", { unknown: "its address is known in the update" }),
      ]),
      [
        "seen on the nodes:",
        `  2 nodes: ${summarizeLook(first)}: 10.0.0.1, 10.0.0.3`,
        "  1 node: nothing to write, containerd 1.7.24 does not restart: 10.0.0.2",
        "  1 node: would fail with NODE_SUDO: 10.0.0.4",
        "  1 node: not looked at, its address is known in the update: 10.0.0.5",
      ],
    );
    assert.deepEqual(describeLooks([seen("10.0.0.1", { looked: nothing })]), []);
  });

  it("looks wait for their turn, also behind one that fails", async () => {
    const turns = new Turns(2);
    let running = 0;
    let most = 0;
    const done = await Promise.allSettled(
      Array.from({ length: 7 }, (_, n) =>
        turns.run(async () => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setTimeout(resolve, 5));
          running--;
          assert.notEqual(n, 3);
          return n;
        }),
      ),
    );
    assert.equal(most, 2);
    assert.deepEqual(
      done.map(({ status }) => status === "fulfilled"),
      [true, true, true, false, true, true, true],
    );
  });
});
