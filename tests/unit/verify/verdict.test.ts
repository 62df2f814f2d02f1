import assert from "node:assert/strict";

import type { Evidence, HostEvidence } from "../../../provider/verify/evidence";
import { isGood, judge, worst } from "../../../provider/verify/verdict";

const digest = (c: string): string => `sha256:${c.repeat(64)}`;
const mirror = "https://127.0.20.1:5000";

function host(changes: Partial<HostEvidence> = {}): HostEvidence {
  return { host: "gcr.io", expectedEndpoints: [mirror], effectiveEndpoints: [mirror], unwantedUpstream: false, probe: { state: "pulled" }, ...changes };
}

function direct(changes: Partial<HostEvidence> = {}): HostEvidence {
  return host({ host: "p.example:5007", direct: true, expectedEndpoints: [], effectiveEndpoints: ["upstream"], probe: { state: "none" }, ...changes });
}

function evidence(changes: Partial<Evidence> = {}): Evidence {
  const image = { source: "gcr.io/a/b:1", target: "127.0.20.1:5000/a/b:1", digest: digest("a"), publicDigest: digest("a"), mirrorDigest: digest("a") };
  return { hosts: [host()], images: [image], problems: [], ...changes };
}

const image = (publicDigest: string, mirrorDigest: string): Evidence["images"][number] => ({
  source: "gcr.io/a/b:1",
  target: "127.0.20.1:5000/a/b:1",
  digest: digest("a"),
  publicDigest,
  mirrorDigest,
});

describe("the verdict on a node", () => {
  const cases: [string, Evidence, string, RegExp | undefined][] = [
    ["B1: a probe pulled through the public name and equal digests are proof", evidence(), "proven", undefined],
    ["V1: equal digests alone are consistent, not proven", evidence({ hosts: [host({ probe: { state: "none" } })] }), "consistent", undefined],
    ["B1: a probe that does not come means fallback, equal digests or not", evidence({ hosts: [host({ probe: { state: "failed", error: "404 not found" } })] }), "fallback", /probe image did not come.*404/],
    ["V2: no mirror in the effective configuration", evidence({ hosts: [host({ effectiveEndpoints: [], probe: { state: "none" } })] }), "not-configured", /no mirror where https:\/\/127.0.20.1:5000 is wanted/],
    ["V2: another mirror first", evidence({ hosts: [host({ effectiveEndpoints: ["https://127.0.99.1:5000", mirror] })] }), "not-configured", /127.0.99.1/],
    ["V2: the legacy form with /v2 is the same mirror", evidence({ hosts: [host({ effectiveEndpoints: [`${mirror}/v2/`] })] }), "proven", undefined],
    ["skipFallback that does not hold is not configured", evidence({ hosts: [host({ unwantedUpstream: true })] }), "not-configured", /skipFallback/],
    ["the mirror serves another digest", evidence({ images: [image(digest("b"), digest("b"))] }), "mismatch", /pushed sha256:aaaa/],
    ["the public name gives another digest than the mirror", evidence({ images: [image(digest("b"), digest("a"))] }), "fallback", /the public name sha256:bbbb/],
    ["the mirror's name cannot be pulled", evidence({ images: [{ ...image(digest("a"), ""), mirrorError: "401 unauthorized" }] }), "mismatch", /401/],
    ["V1: a mirror that this containerd cannot name (IPv6 on 1.6) is compared by the public name alone", evidence({ images: [{ ...image(digest("a"), ""), mirrorUnnameable: true }] }), "proven", /only the public name/],
    ["C14: a private registry that is configured takes nothing from the proof of the others", evidence({ hosts: [host(), direct()] }), "proven", undefined],
    ["C14: one that is not makes the node bad", evidence({ hosts: [host(), direct({ missing: ["p is asked without its credentials"] })] }), "not-configured", /^p is asked without its credentials$/],
    ["C14: on its own it is configured, and nothing is proven", evidence({ hosts: [direct()], images: [] }), "consistent", undefined],
    ["C15: a remark is no reason, but it is told", evidence({ remarks: ["containerd 1.7.24 has no dial timeout"] }), "proven", /no dial timeout/],
    ["nothing to judge by is no success", evidence({ hosts: [], images: [] }), "not-configured", undefined],
  ];
  for (const [title, given, verdict, finding] of cases) {
    it(title, () => {
      const result = judge("127.0.10.1", "1.7.24", given);
      assert.equal(result.verdict, verdict);
      if (finding === undefined) {
        assert.equal(result.findings, undefined);
      } else {
        assert.match((result.findings ?? []).join("\n"), finding);
      }
    });
  }

  it("one bad host makes the node bad, and each host keeps its own verdict", () => {
    const result = judge("n", "2.1.9", evidence({ hosts: [host(), host({ host: "somehost.io", probe: { state: "failed", error: "x" } })] }));
    assert.deepEqual(result.hosts.map((h) => h.verdict), ["proven", "fallback"]);
    assert.equal(result.verdict, "fallback");
  });

  it("C14: a private registry is told as such", () => {
    const [, told] = judge("n", "2.1.9", evidence({ hosts: [host(), direct()] })).hosts;
    assert.deepEqual(told, { host: "p.example:5007", endpoints: ["upstream"], configured: true, proof: "none", verdict: "consistent", direct: true });
  });

  it("the worst verdict wins, and only proven and consistent are good", () => {
    assert.equal(worst(["proven", "consistent"]), "consistent");
    assert.equal(worst(["fallback", "unreachable", "proven"]), "unreachable");
    assert.deepEqual((["proven", "consistent", "mismatch", "fallback", "not-configured", "unreachable"] as const).filter(isGood), ["proven", "consistent"]);
  });
});
