import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { ContainerdError } from "../../../provider/containerd/containerdError";
import type { ContainerdPlan } from "../../../provider/containerd/containerdPlan";
import { describeDrift } from "../../../provider/containerd/plan/describeDrift";
import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import { hideSecrets } from "../../../provider/containerd/render/secretText";
import { after, configPath, desired, node, sample } from "./nodes";
import { host, mirror } from "./renderCases";

const place = "172.18.0.20:5000";
const wanted = desired([host("gcr.io", [mirror(`https://${place}/v2/ns`, { ca: true, credential: true })])], {
  credentials: { [place]: { username: "puller", password: "s3cret" } },
});
const versions = ["1.6.20", "1.7.24", "2.0.11", "2.1.9", "2.3.4"];
const names = readdirSync(join(__dirname, "samples")).map((name) => name.replace(/\.toml$/, ""));

const linesOf = (text: string): string[] => hideSecrets(text).replace(/\n$/, "").split("\n");
const counted = (lines: readonly string[], into = new Map<string, number>(), by = 1): Map<string, number> => {
  for (const line of lines) {
    into.set(line, (into.get(line) ?? 0) + by);
  }
  return into;
};

/** The shown lines, carried out on what is there: a multiset of lines. */
function carriedOut(before: string, shown: readonly string[]): Map<string, number> {
  const lines = counted(linesOf(before));
  counted(
    shown.filter((line) => line.startsWith("+ ")).map((line) => line.slice(2)),
    lines,
  );
  counted(
    shown.filter((line) => line.startsWith("- ")).map((line) => line.slice(2)),
    lines,
    -1,
  );
  return new Map([...lines].filter(([, count]) => count !== 0));
}

describe("L1: what a preview shows of a file is what is then written, on every sample configuration", () => {
  for (const name of names) {
    it(name, () => {
      let shownOnes = 0;
      for (const version of versions) {
        const observed = node(version, { [configPath]: sample(name) });
        let plan: ContainerdPlan;
        try {
          plan = planContainerd(observed, wanted);
        } catch (error) {
          // A configuration that this release refuses: a preview says so, and there are no lines.
          assert.ok(error instanceof ContainerdError, String(error));
          continue;
        }
        const left = after(observed, plan);
        for (const { path, kind, lines } of describeDrift(plan, observed)) {
          if (kind === "missing" || kind === "changed") {
            const now = left.files[path]?.text ?? "";
            const before = observed.files[path]?.text;
            // A text that is not there has no lines, not one empty one.
            const result =
              before === undefined ? counted(lines.map((line) => line.slice(2))) : carriedOut(before, lines);
            assert.deepEqual([...result].sort(), [...counted(linesOf(now))].sort(), `${path} on ${version}`);
            shownOnes++;
          }
          assert.ok(!lines.join("\n").includes("s3cret"), `a secret is shown of ${path}`);
        }
        // Nothing changes that is not shown.
        const touched = new Set(describeDrift(plan, observed).map(({ path }) => path));
        for (const path of new Set([...Object.keys(observed.files), ...Object.keys(left.files)])) {
          const same = observed.files[path]?.text === left.files[path]?.text;
          assert.ok(same || touched.has(path), `${path} changes unseen on ${version}`);
        }
        assert.deepEqual(describeDrift(planContainerd(left, wanted), left), [], `${version}: a second plan has more`);
      }
      // Docker's package switches CRI off: each release refuses that.
      assert.equal(shownOnes > 0, name !== "docker-package");
    });
  }
});
