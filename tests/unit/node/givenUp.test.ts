import assert from "node:assert/strict";
import { rmSync } from "node:fs";

import { describeDrift } from "../../../provider/containerd/plan/describeDrift";
import { foreseeChange, type Foreseen } from "../../../provider/node/transaction/foresee";
import { config, file, firstPlan, Fixture, hosts, planOf } from "./support/transaction";

describe("L1: what becomes of a file that a plan gives up", () => {
  const fixture = Fixture.forEachTest();
  const { apply, withNode } = fixture;
  const foresee = (...remove: string[]): Promise<Foreseen> =>
    withNode((node) => foreseeChange(node, { hostsDirs: [], plan: () => planOf([], { remove, owns: [] }) }));
  const shown = ({ plan, observed, givenUp }: Foreseen): unknown[] =>
    describeDrift(plan, observed, givenUp).map(({ kind, lines }) => [kind, ...lines]);

  it("the original comes back, with what differs; a file that is ours alone goes", async () => {
    const { node } = fixture;
    node.write(hosts.slice(1), 'server = "https://gcr.io"\n# theirs\n[host."https://their.example"]\n');
    await apply(firstPlan());
    const seen = await foresee(hosts, "/etc/containerd/certs.d/mirror:5000/ca.crt");
    assert.deepEqual(shown(seen), [
      ["original", "+ # theirs", '+ [host."https://their.example"]'],
      ["extra", "- CA"],
    ]);
    await apply(seen.plan);
    assert.match(node.read(hosts.slice(1)), /# theirs/, "as it was told");
  });

  it("also where somebody took the file away, or changed it since: that version is told to be kept", async () => {
    const { node } = fixture;
    node.write(hosts.slice(1), "# theirs\n");
    await apply(firstPlan());
    node.write(hosts.slice(1), "# by hand\n");
    const changed = await foresee(hosts);
    assert.deepEqual(shown(changed), [["original", "- # by hand", "+ # theirs"]]);
    assert.deepEqual(
      changed.change.notes.map(({ kind, subject }) => [kind, subject]),
      [["version-kept", hosts]],
    );
    rmSync(node.path(hosts.slice(1)));
    assert.deepEqual(shown(await foresee(hosts)), [["original", "+ # theirs"]]);
  });

  it("a file that has become the original again is let go without a word", async () => {
    const { node } = fixture;
    node.write(hosts.slice(1), "# theirs\n");
    await apply(firstPlan());
    node.write(hosts.slice(1), "# theirs\n");
    assert.deepEqual(shown(await foresee(hosts)), []);
  });

  it("of a configuration that others changed since, our part goes: changed lines, and no whole file", async () => {
    const { node } = fixture;
    node.write(config.slice(1), "version = 2\n# theirs\n\n");
    await apply(planOf([file(config, "version = 2\n# theirs\n\n# ours\n")]));
    node.write(config.slice(1), "version = 2\n# theirs, newer\n\n# ours\n");
    assert.deepEqual(shown(await foresee(config)), [["changed", "- # ours"]]);
  });

  it("what cannot be read as text is said to come back", () => {
    const lost = [{ path: "/x", becomes: "original" as const, text: undefined }];
    const observed = { versionText: "", configPath: config, files: {}, owned: {} };
    const [drift] = describeDrift({ write: [], remove: ["/x"] }, observed, lost);
    assert.deepEqual(drift?.lines, ["+ no readable text"]);
  });
});
