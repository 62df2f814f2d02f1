import assert from "node:assert/strict";

import { type Finding, findingAbout } from "../../../provider/model/finding";
import type { PullFailure } from "../../../provider/node";
import type { Evidence, FailedProbe, HostEvidence } from "../../../provider/verify/evidence";
import { evaluate, isGood, verdicts, worst } from "../../../provider/verify/verdict";

const digest = (c: string): string => `sha256:${c.repeat(64)}`;
const mirror = "https://127.0.20.1:5000";

function found(subject: string, text: string): Finding {
  return findingAbout(subject, " ", { kind: "found", severity: "note", text });
}

function host(changes: Partial<HostEvidence> = {}): HostEvidence {
  return {
    host: "gcr.io",
    expectedEndpoints: [mirror],
    effectiveEndpoints: [mirror],
    unwantedUpstream: false,
    probe: { state: "pulled" },
    ...changes,
  };
}

function direct(changes: Partial<HostEvidence> = {}): HostEvidence {
  return host({
    host: "p.example:5007",
    direct: true,
    expectedEndpoints: [],
    effectiveEndpoints: ["upstream"],
    probe: { state: "none" },
    ...changes,
  });
}

function evidence(changes: Partial<Evidence> = {}): Evidence {
  const image = {
    source: "gcr.io/a/b:1",
    target: "127.0.20.1:5000/a/b:1",
    digest: digest("a"),
    publicDigest: digest("a"),
    mirrorDigest: digest("a"),
  };
  return { hosts: [host()], images: [image], findings: [], ...changes };
}

const upstream = [mirror, "upstream"];
const said = (cause: PullFailure["cause"], error: string): PullFailure => ({ cause, error });
/** A probe that did not come: what the public name's pull ended in, and what the mirror said by its own name. */
const failed = (
  own: PullFailure | "given" | "unnameable",
  publicName = said("not-found", "gcr.io/p: not found"),
): FailedProbe => ({
  state: "failed",
  public: publicName,
  mirrors: own === "unnameable" ? [] : [{ endpoint: mirror, ...(own === "given" ? {} : { failure: own }) }],
});
const denied = said("unauthorized", "no basic auth credentials");
const lacks = said("not-found", "not found");
const refused = said("connection", "dial tcp 127.0.20.1:5000: connect: connection refused");

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
    [
      "V1: equal digests alone are consistent, not proven",
      evidence({ hosts: [host({ probe: { state: "none" } })] }),
      "consistent",
      undefined,
    ],
    [
      "B1: a probe that the mirror lacks means fallback, equal digests or not",
      evidence({ hosts: [host({ effectiveEndpoints: upstream, probe: failed(lacks) })] }),
      "fallback",
      /probe image did not come.*not-found/,
    ],
    [
      "B1: and without a public registry behind it not-found",
      evidence({ hosts: [host({ probe: failed(lacks) })] }),
      "not-found",
      /not-found/,
    ],
    [
      "B1: the mirror has it, but is not asked for the public name",
      evidence({ hosts: [host({ effectiveEndpoints: upstream, probe: failed("given") })] }),
      "fallback",
      /has it under its own name/,
    ],
    [
      "B1: the public registry's not found hides that the mirror refused the credentials",
      evidence({ hosts: [host({ effectiveEndpoints: upstream, probe: failed(denied) })] }),
      "unauthorized",
      /127\.0\.20\.1:5000 answers \(unauthorized\): no basic/,
    ],
    [
      "B1: nor that it is down",
      evidence({ hosts: [host({ effectiveEndpoints: upstream, probe: failed(refused) })] }),
      "mirror-unavailable",
      /connection refused/,
    ],
    [
      "B1: no answer from the node is unreachable",
      evidence({ hosts: [host({ effectiveEndpoints: upstream, probe: failed(said("node", "gone")) })] }),
      "unreachable",
      /gone/,
    ],
    [
      "B1: a mirror without a name to ask by: the public name's error counts where it names the mirror",
      evidence({ hosts: [host({ effectiveEndpoints: upstream, probe: failed("unnameable", refused) })] }),
      "mirror-unavailable",
      /refused/,
    ],
    [
      "B1: and is the public registry's otherwise",
      evidence({ hosts: [host({ effectiveEndpoints: upstream, probe: failed("unnameable", denied) })] }),
      "fallback",
      /no basic/,
    ],
    [
      "V2: no mirror in the effective configuration",
      evidence({ hosts: [host({ effectiveEndpoints: [], probe: { state: "none" } })] }),
      "not-configured",
      /no mirror where https:\/\/127.0.20.1:5000 is wanted/,
    ],
    [
      "V2: another mirror first",
      evidence({ hosts: [host({ effectiveEndpoints: ["https://127.0.99.1:5000", mirror] })] }),
      "not-configured",
      /127.0.99.1/,
    ],
    [
      "V2: the legacy form with /v2 is the same mirror",
      evidence({ hosts: [host({ effectiveEndpoints: [`${mirror}/v2/`] })] }),
      "proven",
      undefined,
    ],
    [
      "skipFallback that does not hold is not configured",
      evidence({ hosts: [host({ unwantedUpstream: true })] }),
      "not-configured",
      /skipFallback/,
    ],
    [
      "the mirror serves another digest",
      evidence({ images: [image(digest("b"), digest("b"))] }),
      "mismatch",
      /pushed sha256:aaaa/,
    ],
    [
      "the public name gives another digest than the mirror",
      evidence({ images: [image(digest("b"), digest("a"))] }),
      "fallback",
      /the public name sha256:bbbb/,
    ],
    [
      "V1: the mirror refuses the credentials: no mismatch",
      evidence({ images: [{ ...image(digest("a"), ""), mirrorFailure: denied }] }),
      "unauthorized",
      /a\/b:1 could not be pulled \(unauthorized\): no basic/,
    ],
    [
      "V1: the mirror is down",
      evidence({ images: [{ ...image("", ""), mirrorFailure: refused, publicFailure: lacks }] }),
      "mirror-unavailable",
      /connection refused/,
    ],
    [
      "V1: the mirror lacks the image",
      evidence({ images: [{ ...image(digest("a"), ""), mirrorFailure: lacks }] }),
      "not-found",
      /not found/,
    ],
    [
      "V1: another digest in the mirror and no public one is still a mismatch",
      evidence({ images: [{ ...image("", digest("b")), publicFailure: lacks }] }),
      "mismatch",
      /not found/,
    ],
    [
      "V1: the mirror has it, and the public name asks elsewhere",
      evidence({
        images: [{ ...image("", digest("a")), publicFailure: lacks, asked: { endpoints: upstream, upstream: true } }],
      }),
      "fallback",
      /not found/,
    ],
    [
      "V1: the public name's error is the mirror's where there is nobody else",
      evidence({
        images: [{ ...image("", digest("a")), publicFailure: denied, asked: { endpoints: [mirror], upstream: false } }],
      }),
      "unauthorized",
      /no basic/,
    ],
    [
      "V1: and where it names the mirror",
      evidence({
        images: [{ ...image("", digest("a")), publicFailure: refused, asked: { endpoints: upstream, upstream: true } }],
      }),
      "mirror-unavailable",
      /refused/,
    ],
    [
      "V1: a full disk is nobody's answer",
      evidence({ images: [{ ...image("", digest("a")), publicFailure: said("other", "no space left on device") }] }),
      "pull-failed",
      /no space left/,
    ],
    [
      "V1: a mirror that this containerd cannot name (IPv6 on 1.6) is compared by the public name alone",
      evidence({ images: [{ ...image(digest("a"), ""), mirrorUnnameable: true }] }),
      "proven",
      /only the public name/,
    ],
    [
      "C14: a private registry that is configured takes nothing from the proof of the others",
      evidence({ hosts: [host(), direct()] }),
      "proven",
      undefined,
    ],
    [
      "C14: one that is not makes the node bad",
      evidence({ hosts: [host(), direct({ missing: [found("p", "is asked without its credentials")] })] }),
      "not-configured",
      /^p is asked without its credentials$/,
    ],
    [
      "C14: on its own it is configured, and nothing is proven",
      evidence({ hosts: [direct()], images: [] }),
      "consistent",
      undefined,
    ],
    [
      "C15: a remark is no reason, but it is told",
      evidence({ remarks: [found("containerd 1.7.24", "has no dial timeout")] }),
      "proven",
      /no dial timeout/,
    ],
    ["nothing to judge by is no success", evidence({ hosts: [], images: [] }), "not-configured", undefined],
  ];
  for (const [title, given, verdict, finding] of cases) {
    it(title, () => {
      const result = evaluate("127.0.10.1", "1.7.24", given);
      assert.equal(result.verdict, verdict);
      if (finding === undefined) {
        assert.equal(result.findings, undefined);
      } else {
        assert.match((result.findings ?? []).join("\n"), finding);
      }
    });
  }

  it("one bad host makes the node bad, and each host keeps its own verdict", () => {
    const result = evaluate(
      "n",
      "2.1.9",
      evidence({ hosts: [host(), host({ host: "somehost.io", probe: failed(denied) })] }),
    );
    assert.deepEqual(
      result.hosts.map((h) => h.verdict),
      ["proven", "unauthorized"],
    );
    assert.deepEqual(
      [result.hosts[1]?.cause, result.hosts[1]?.error],
      ["unauthorized", denied.error],
      "with its evidence",
    );
    assert.equal(result.verdict, "unauthorized");
  });

  it("an image that does not match has its verdict and its cause, one that does has neither", () => {
    const bad = { ...image(digest("a"), ""), mirrorFailure: denied };
    const { images } = evaluate("n", "2.1.9", evidence({ images: [bad, image(digest("a"), digest("a"))] }));
    assert.deepEqual(
      images.map((one) => [one.match, one.verdict, one.cause, one.error]),
      [
        [false, "unauthorized", "unauthorized", denied.error],
        [true, undefined, undefined, undefined],
      ],
    );
  });

  it("the worst mirror decides, but none does where one of them has it", () => {
    const second = { endpoint: "https://127.0.20.2:5000", failure: lacks };
    const with2 = (own: PullFailure | "given"): string =>
      evaluate(
        "n",
        "2.1.9",
        evidence({ hosts: [host({ probe: { ...failed(own), mirrors: [...failed(own).mirrors, second] } })] }),
      ).verdict;
    assert.equal(with2(refused), "mirror-unavailable");
    assert.equal(with2(lacks), "not-found");
    assert.equal(with2("given"), "fallback");
  });

  it("C14: a private registry is told as such", () => {
    const [, told] = evaluate("n", "2.1.9", evidence({ hosts: [host(), direct()] })).hosts;
    assert.deepEqual(told, {
      host: "p.example:5007",
      endpoints: ["upstream"],
      configured: true,
      proof: "none",
      verdict: "consistent",
      direct: true,
    });
  });

  it("the worst verdict wins, and only proven and consistent are good", () => {
    assert.equal(worst(["proven", "consistent"]), "consistent");
    assert.equal(worst(["fallback", "unreachable", "proven"]), "unreachable");
    assert.deepEqual(verdicts.filter(isGood), ["proven", "consistent"]);
  });
});
