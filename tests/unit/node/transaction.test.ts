import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";

import type { ContainerdPlan, PlannedFile } from "../../../provider/containerd/containerdPlan";
import { restoreNode } from "../../../provider/node";
import { NodeError } from "../../../provider/node/nodeError";
import { parseRecord } from "../../../provider/node/record";
import { said } from "../said";
import { failure } from "./support/context";
import type { FakeNode } from "./support/fakeNode";
import { ca, config, file, firstPlan, Fixture, hosts, mine, planOf, theirs, urn } from "./support/transaction";

const record = "/var/lib/registry-mirror/record";

describe("the node's transaction", function () {
  const fixture = Fixture.forEachTest();
  const { apply, restore, withNode, nothingLeft } = fixture;
  let node: FakeNode;
  beforeEach(() => {
    node = fixture.node;
  });

  it("B3: applies, restarts once for the pointer, and not at all for what follows", async () => {
    const first = await apply(firstPlan());
    assert.equal(first.changed, true);
    assert.equal(first.restarts, 1);
    assert.equal(node.restarts, 1);
    assert.match(node.read(config), /# pointer/);
    const second = await apply(planOf([file(hosts, 'server = "https://other"\n')], { owns: [hosts, ca, config] }));
    assert.equal(second.restarts, 0);
    assert.equal(node.restarts, 1);
    assert.equal(node.read(hosts), 'server = "https://other"\n');
    const third = await apply(planOf([], { owns: [hosts, ca, config] }));
    assert.equal(third.changed, false);
    nothingLeft();
  });

  it("costs few round trips: five for a first apply, four for a change", async () => {
    assert.ok((await apply(firstPlan())).roundTrips <= 5);
    assert.ok((await apply(planOf([file(hosts, "x = 1\n")], { owns: [hosts, ca, config] }))).roundTrips <= 4);
  });

  it("B4: delete gives back every byte, mode, time and absence, and leaves nothing of ours", async () => {
    node.write(hosts, "# foreign, for one of our hosts\n", 0o640);
    node.write("/etc/containerd/certs.d/foreign.io/hosts.toml", "# of others\n");
    const before = node.snapshot();
    await apply(firstPlan());
    await apply(planOf([file(hosts, "second\n")], { owns: [hosts, ca, config] }));
    const result = await restore();
    assert.equal(result.restarts, 1);
    assert.deepEqual(node.snapshot(), before);
    assert.equal(node.exists("var/lib/registry-mirror"), false);
    const again = await restore();
    assert.equal(again.changed, false);
    assert.equal(again.restarts, 0);
  });

  it("B4: delete restarts nothing when the configuration was not ours", async () => {
    await apply(planOf([file(hosts, "a\n")]));
    const result = await restore();
    assert.equal(result.changed, true);
    assert.equal(node.restarts, 0);
  });

  it("B8: a file with a secret is 0600 from its first byte on, also where it replaces an open one", async () => {
    node.write(hosts, "open\n", 0o644);
    await apply(planOf([file(hosts, "header = secret\n", true), file(ca, "also secret\n", true)]));
    assert.match(node.snapshot()["etc/containerd/certs.d/gcr.io/hosts.toml"] ?? "", /^file 600 /);
    assert.match(node.snapshot()["etc/containerd/certs.d/mirror:5000/ca.crt"] ?? "", /^file 600 /);
  });

  it("keeps the mode of a file that others made", async () => {
    node.write(config, "version = 2\n", 0o640);
    await apply(planOf([file(config, "version = 2\n# ours\n")]));
    assert.match(node.snapshot()["etc/containerd/config.toml"] ?? "", /^file 640 /);
  });

  it("gives a path that is no longer wanted back to what stood there", async () => {
    node.write(hosts, "foreign\n");
    const before = node.snapshot();
    await apply(planOf([file(hosts, "ours\n"), file(ca, "CA\n")]));
    await apply(planOf([], { remove: [hosts, ca] }));
    assert.deepEqual(node.snapshot(), before);
  });

  const again = (text: string): ContainerdPlan => planOf([file(hosts, text)], { owns: [hosts, ca, config] });

  it("refuses a second owner, unless it adopts; the first one's delete then leaves the node alone", async () => {
    const before = node.snapshot();
    await apply(firstPlan());
    const configured = node.snapshot();
    await failure(
      apply(again("theirs\n"), { owner: theirs }),
      "NODE_OWNED",
      /::a, not by /,
      /stack rename prod/,
      /adopt: true/,
    );
    assert.deepEqual(node.snapshot(), configured, "refusing touches nothing");
    assert.equal((await apply(again("theirs\n"), { owner: theirs, adopt: true })).holder, "other");
    const left = await restore();
    assert.deepEqual([left.holder, left.changed, left.record?.owner], ["other", false, theirs.urn]);
    assert.equal(node.read(hosts), "theirs\n");
    assert.equal((await restore({ owner: theirs })).holder, "us");
    assert.deepEqual(node.snapshot(), before, "the originals have passed to the second owner");
  });

  it("a replacement of the same URN takes the node over, originals and all, and the delete of the replaced one leaves it alone", async () => {
    node.write(hosts, "# foreign\n", 0o640);
    const before = node.snapshot();
    await apply(firstPlan());
    const originals = readdirSync(node.path("/var/lib/registry-mirror/originals"));
    const replacement = { ...mine, token: "00000000000000ab" };
    const taken = await apply(planOf([], { owns: [hosts, ca, config] }), { owner: replacement });
    assert.deepEqual([taken.holder, taken.restarts], ["namesake", 0]);
    assert.deepEqual(readdirSync(node.path("/var/lib/registry-mirror/originals")), originals, "no second backup");
    const configured = node.snapshot();
    const left = await restore();
    assert.deepEqual([left.holder, left.changed], ["namesake", false]);
    assert.deepEqual(node.snapshot(), configured);
    await restore({ owner: replacement });
    assert.deepEqual(node.snapshot(), before);
  });

  it("a failed replacement leaves the node with the resource it had", async () => {
    const before = node.snapshot();
    await apply(firstPlan());
    const configured = node.snapshot();
    const replacement = { ...mine, token: "00000000000000ab" };
    await assert.rejects(
      apply(again("new\n"), { owner: replacement, verify: () => Promise.reject(new Error("not proven")) }),
      /not proven/,
    );
    assert.deepEqual(node.snapshot(), configured);
    assert.equal((await restore({ owner: replacement })).changed, false, "it never was the failed one's");
    assert.equal((await restore()).holder, "us");
    assert.deepEqual(node.snapshot(), before);
  });

  it("whatever its URN is by now, an owner with the node's token goes on, and the record's words are brought up to date", async () => {
    const before = node.snapshot();
    await apply(firstPlan());
    const renamed = { ...mine, urn: urn("a", "prod") };
    assert.equal((await apply(again("b\n"), { owner: renamed })).holder, "us");
    assert.equal(parseRecord(node.read(record))?.owner, renamed.urn);
    assert.equal((await restore()).holder, "us");
    assert.deepEqual(node.snapshot(), before);
  });

  it("a record of 0.1.0, which has no token, is of the one that its URN names; the next change brings the token", async () => {
    const before = node.snapshot();
    await apply(firstPlan());
    const old = (): void => node.write(record, node.read(record).replace(/^token .*\n/m, ""), 0o600);
    old();
    const renamed = { urn: urn("a", "prod"), token: "00000000000000ac", earlier: [mine.urn] };
    await failure(apply(again("b\n"), { owner: theirs }), "NODE_OWNED");
    const replaced = { ...mine, token: "00000000000000ad" };
    assert.equal(
      (await apply(planOf([], { owns: [hosts, ca, config] }), { owner: renamed })).changed,
      true,
      "only the record is written",
    );
    assert.equal(parseRecord(node.read(record))?.token, renamed.token);
    assert.equal(
      (await restore({ owner: { ...replaced, earlier: [mine.urn] } })).holder,
      "other",
      "the state of 0.1.0 has had its time",
    );
    await restore({ owner: renamed });
    assert.deepEqual(node.snapshot(), before);
    // Deleted straight after the upgrade.
    await apply(firstPlan());
    old();
    await restore({ owner: { ...replaced, earlier: [mine.urn] } });
    assert.deepEqual(node.snapshot(), before);
  });

  it("at no step a hosts.toml names a certificate that is not there: such a pull fails, and asks nobody else", async () => {
    const next = "/etc/containerd/certs.d/zot:5000/ca.crt";
    const naming = (path: string): PlannedFile => file(hosts, `ca = "${path}"\n`);
    // After each step of the program on the node.
    const look = `step() {
  for l_file in "$root"/etc/containerd/certs.d/*/hosts.toml; do
    l_ca=$(sed -n 's/^ca = "\\(.*\\)"$/\\1/p' "$l_file" 2>/dev/null)
    [ -z "$l_ca" ] || [ -e "$root$l_ca" ] || echo "$l_file: $l_ca at $*" >> "$root/missing"
    [ -z "$l_ca" ] || echo "$*" >> "$root/looked"
  done
}`;
    const tuning = { script: (text: string): string => text.replace("step() { :; }", look) };
    const initial = planOf([naming(ca), file(ca, "CA\n"), file(config, "# pointer\n")]);
    const moved = planOf([naming(next), file(next, "CA 2\n")], { owns: [hosts, next, config], remove: [ca] });
    const before = node.snapshot();
    await apply(initial, {}, tuning);
    await assert.rejects(apply(moved, { verify: () => Promise.reject(new Error("not proven")) }, tuning), /not proven/);
    assert.equal(node.exists(ca), true);
    await apply(moved, {}, tuning);
    assert.deepEqual([node.exists(ca), node.exists(next)], [false, true]);
    await withNode((n) => restoreNode(n, { owner: mine, criTimeout: 5 }), tuning);
    assert.ok(node.read("looked").split("\n").length > 20);
    assert.equal(node.exists("missing"), false, node.exists("missing") ? node.read("missing") : "");
    const { looked: _looked, ...after } = node.snapshot();
    assert.deepEqual(after, before);
  });

  it("refuses targets that are links, naming the link, and writes through none", async () => {
    node.write("elsewhere/hosts.toml", "untouched\n");
    mkdirSync(node.path("/etc/containerd/certs.d"), { recursive: true });
    symlinkSync(node.path("elsewhere"), node.path("/etc/containerd/certs.d/gcr.io"));
    const before = node.snapshot();
    await failure(apply(planOf([file(hosts, "x\n")])), "NODE_SYMLINK", /certs\.d\/gcr\.io -> .*elsewhere/);
    assert.deepEqual(node.snapshot(), before);
    assert.equal(node.read("elsewhere/hosts.toml"), "untouched\n");
    symlinkSync(node.path("elsewhere/hosts.toml"), node.path("/etc/containerd/link.toml"));
    await failure(apply(planOf([file("/etc/containerd/link.toml", "x\n")], {})), "NODE_SYMLINK");
    nothingLeft();
  });

  it("B4: a configuration that containerd does not parse touches nothing", async () => {
    const before = node.snapshot();
    await failure(
      apply(firstPlan("SYNTAX-ERROR\n")),
      "NODE_CONFIG_REFUSED",
      /failed to load TOML/,
      /the node is as before/,
    );
    assert.deepEqual(node.snapshot(), before);
    assert.equal(node.restarts, 0);
    nothingLeft();
  });

  it("B4: a configuration that containerd does not start with is taken back, and containerd started again", async () => {
    const before = node.snapshot();
    await failure(
      apply(firstPlan("BROKEN-AT-START\n")),
      "NODE_RESTART",
      /Job for containerd/,
      /restarted with its old configuration/,
    );
    assert.deepEqual(node.snapshot(), before);
    assert.equal(node.exists("fake/down"), false);
    assert.equal(node.restarts, 2);
    nothingLeft();
  });

  it("B4: a containerd whose CRI plugin did not load is taken back", async () => {
    const before = node.snapshot();
    fixture.cri.unimplemented = true;
    await failure(apply(firstPlan(), { criTimeout: 2 }), "NODE_CRI", /CRI plugin did not load/, /as before/);
    assert.deepEqual(node.snapshot(), before);
    nothingLeft();
  });

  it("B4: a failed verification is taken back", async () => {
    const before = node.snapshot();
    await assert.rejects(apply(firstPlan(), { verify: () => Promise.reject(new Error("not proven")) }), /not proven/);
    assert.deepEqual(node.snapshot(), before);
    assert.equal(node.restarts, 2);
    nothingLeft();
  });

  it("B4: a containerd that does not serve after it was taken back: the files are as before, and more is not claimed", async () => {
    const sooner = { script: (text: string) => text.replace("await_socket 30", "await_socket 1") };
    const refuse = { verify: () => Promise.reject(new NodeError("NODE_CRI", "n", "not proven")) };
    const open = "ffff0: 00000002 00000000 00010000 0001 01 1 ";
    node.write("proc/net/unix", `Num Path\n${open}/run/containerd/containerd.sock.ttrpc\n`);
    const before = node.snapshot();
    const silent = await failure(
      apply(firstPlan(), refuse, sooner),
      "NODE_CRI",
      /taken back: the files are as before,/,
    );
    assert.match(
      silent.reasons.join(),
      /does not answer on \/run\/containerd\/containerd\.sock .*journalctl -u containerd\)/,
    );
    assert.deepEqual(node.snapshot(), before);
    nothingLeft();
    node.write("proc/net/unix", `Num Path\n${open}/run/containerd/containerd.sock\n`);
    const served = await failure(apply(firstPlan(), refuse, sooner), "NODE_CRI", /taken back: the node is as before,/);
    assert.deepEqual(served.reasons, []);
  });

  it("a file that changes between reading and replacing ends it with nothing touched", async () => {
    await failure(
      apply(() => {
        node.write(config, "# edited by hand just now\n");
        return Promise.resolve(firstPlan());
      }),
      "NODE_CHANGED",
      /config\.toml/,
    );
    assert.equal(node.read(config), "# edited by hand just now\n");
    assert.equal(node.exists(hosts), false);
    nothingLeft();
    await failure(
      apply(() => {
        node.write(hosts, "# came into being\n");
        return Promise.resolve(firstPlan());
      }),
      "NODE_CHANGED",
      /hosts\.toml/,
    );
    assert.equal(node.read(hosts), "# came into being\n");
    nothingLeft();
  });

  it("delete takes only our part out of a config.toml that was edited after us", async () => {
    const original = "version = 2\n[plugins]\n  a = 1\n  b = 2\n  c = 3\n  d = 4\n";
    const ours = "version = 2\n[plugins]\n  # pointer\n  a = 1\n  b = 2\n  c = 3\n  d = 4\n";
    node.write(config, original);
    await apply(planOf([file(config, ours)]));
    node.write(config, ours.replace("c = 3", "c = 33"));
    const result = await restore();
    assert.equal(node.read(config), original.replace("c = 3", "c = 33"));
    assert.match(said(result.notes), /only our part/);
  });

  it("an edit before our next write is no part of ours either", async () => {
    const original = "version = 2\n[plugins]\n  a = 1\n  b = 2\n  c = 3\n  d = 4\n";
    const ours = original.replace("[plugins]\n", "[plugins]\n  # pointer\n");
    node.write(config, original);
    await apply(planOf([file(config, ours)]));
    const edited = ours.replace("c = 3", "c = 33");
    node.write(config, edited);
    await apply(planOf([file(config, `${edited}  # second\n`)]));
    await restore();
    assert.equal(node.read(config), original.replace("c = 3", "c = 33"));
  });

  it("delete where others changed our very lines: the original comes back, and their version is kept beside it", async () => {
    node.write(config, "a\nb\n");
    await apply(planOf([file(config, "a\nours\nb\n")]));
    node.write(config, "a\ntheirs\nb\n");
    const result = await restore();
    assert.equal(node.read(config), "a\nb\n");
    const kept = Object.keys(node.snapshot()).filter((path) => path.includes("config.toml.changed-"));
    assert.equal(kept.length, 1);
    assert.equal(node.read(`/${kept[0] as string}`), "a\ntheirs\nb\n");
    assert.match(
      said(result.notes),
      /config\.toml had been changed by hand since we wrote it; that version is kept as \/etc\/containerd\/config\.toml\.changed-/,
    );
  });

  it("delete of tables of ours that were changed between our marks: they go, and what others changed elsewhere stays", async () => {
    const original = "version = 2\n[plugins]\n  a = 1\n";
    const block = (dir: string): string =>
      `\n# >>> pulumi-registry-mirror: managed\nconfig_path = "${dir}"\n# <<< pulumi-registry-mirror\n`;
    node.write(config, original);
    await apply(planOf([file(config, original + block("/etc/containerd/certs.d"))]));
    node.write(config, original.replace("a = 1", "a = 1\n  b = 2") + block("/somewhere/else"));
    await restore();
    assert.equal(node.read(config), original.replace("a = 1", "a = 1\n  b = 2"));
    const kept = Object.keys(node.snapshot()).filter((path) => path.includes("config.toml.changed-"));
    assert.match(node.read(`/${kept[0] as string}`) ?? "", /somewhere\/else/);
  });

  it("a record that was lost: what bears our mark is no original, and a delete leaves nothing of ours", async () => {
    const original = "version = 2\n";
    const ours = `${original}\n# >>> pulumi-registry-mirror: managed\nx = 1\n# <<< pulumi-registry-mirror\n`;
    node.write(config, original);
    const plan = planOf([file(config, ours), file(hosts, 'server = "https://gcr.io"\n')]);
    await apply(plan);
    rmSync(node.path("var/lib/registry-mirror"), { recursive: true, force: true });
    const again = await apply({
      ...plan,
      write: [],
      restart: false,
      recognised: [{ path: hosts }, { path: config, original }],
    });
    assert.match(said(again.notes), /bears our mark, but our record of it was lost/);
    await restore();
    assert.equal(node.read(config), original);
    assert.equal(node.exists(hosts), false);
    nothingLeft();
  });

  it("two programs at once: the second waits for the first, or names it", async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let verifying: () => void = () => {};
    const reached = new Promise<void>((resolve) => {
      verifying = resolve;
    });
    const first = apply(firstPlan(), {
      verify: async () => {
        verifying();
        await held;
      },
    });
    await reached;
    await failure(apply(planOf([file(hosts, "second\n")]), { lockTimeout: 0 }), "NODE_LOCKED", /::a on /);
    const second = apply((observed) => {
      assert.equal(observed.files[hosts]?.text, 'server = "https://gcr.io"\n', "the second sees what the first did");
      return planOf([file(hosts, "second\n")], { owns: [hosts, ca, config] });
    });
    setTimeout(release, 300);
    await first;
    await second;
    assert.equal(node.read(hosts), "second\n");
  });

  it("B8: no secret is ever an argument of a process", async () => {
    const text = `Authorization = "Basic ${createHash("sha256").update("x").digest("hex")}"\n`;
    const seen: string[] = [];
    const watch = setInterval(() => seen.push(processList()), 5);
    try {
      await apply(planOf([file(hosts, text, true)]));
      await restore();
    } finally {
      clearInterval(watch);
    }
    const secret = text.slice(20, 60);
    assert.ok(
      seen.some((list) => list.includes("registry-mirror-ready")),
      "the watch saw our program",
    );
    assert.equal(
      seen.some((list) => list.includes(secret) || list.includes(Buffer.from(text).toString("base64").slice(0, 40))),
      false,
    );
  });

  it("B8: what containerd quotes of a secret configuration is no part of the error", async () => {
    const text = 'version = 2\npassword = "hunter-two" # SYNTAX-ERROR\n';
    const error = await failure(
      apply(planOf([file(config, text, true)])),
      "NODE_CONFIG_REFUSED",
      /password = "\[secret\]"/,
    );
    assert.doesNotMatch(`${error.message} ${String(error.cause)} ${error.reasons.join()}`, /hunter-two/);
  });

  it("a node without a config.toml gets one, and loses it again", async () => {
    rmSync(node.path("etc/containerd"), { recursive: true });
    const before = node.snapshot();
    await apply(firstPlan());
    assert.match(node.read(config), /# pointer/);
    await restore();
    assert.deepEqual(node.snapshot(), before, "the directories that we made are gone too");
  });

  it("a link in place of a right configuration stays; one that would have to be written is refused", async () => {
    node.write("real/config.toml", "version = 2\n# pointer\n");
    rmSync(node.path(config));
    symlinkSync(node.path("real/config.toml"), node.path(config));
    const result = await apply((observed) => {
      assert.equal(
        observed.files[config]?.text,
        "version = 2\n# pointer\n",
        "read through the link, as containerd does",
      );
      return planOf([file(hosts, "x\n")], { owns: [hosts, config] });
    });
    assert.equal(result.changed, true);
    await failure(apply(planOf([file(config, "y\n")])), "NODE_SYMLINK", /config\.toml -> /);
    await restore();
    assert.equal(node.read("real/config.toml"), "version = 2\n# pointer\n");
  });
});

function processList(): string {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1") + readFileSync(`/proc/${pid}/environ`, "latin1");
      } catch {
        return "";
      }
    })
    .join("\n");
}
