import type { Digest } from "../../../../provider/model/digest";
import type { PushedRegistry } from "../../../../provider/registry/push/pushedRegistry";
import type { PushedImage } from "../../../../provider/registry/push/pushResult";
import type { ClusterVerification } from "../../../../provider/verify/clusterVerification";
import { aggregateVerification } from "../../../../provider/verify/clusterVerification";
import type { NodeCoverage } from "../../../../provider/verify/coverage/coverage";
import type { HostVerification, NodeVerification, Verdict } from "../../../../provider/verify/nodeVerification";
import type { PrepulledImages } from "../../../../provider/verify/prepull/prepulledImages";
import type { ReportedPushSet } from "../../../../provider/verify/pushed/reportedPushSet";
import { verdicts } from "../../../../provider/verify/verdict";

const digest = (n: number): Digest => `sha256:${n.toString(16).padStart(2, "0").repeat(32)}`;

const mirror = "https://172.18.0.20:5000/v2/test-namespace";
const known = ["gcr.io", "registry.k8s.io", "quay.io", "docker.io", "ghcr.io", "mcr.microsoft.com"];

const address = (n: number): string => `10.0.${Math.floor(n / 250)}.${(n % 250) + 1}`;

function host(name: string, verdict: Verdict, error?: string): HostVerification {
  const good = verdict === "proven" || verdict === "consistent";
  return {
    host: name,
    endpoints: verdict === "not-configured" ? [] : [mirror, "upstream"],
    configured: verdict !== "not-configured",
    proof: verdict === "proven" ? "proven" : good || verdict === "not-configured" ? "none" : "failed",
    verdict,
    ...(error === undefined ? {} : { cause: "connection" as const, error }),
  };
}

function node(n: number, names: readonly string[], bad: readonly Verdict[] = []): NodeVerification {
  const hosts = names.map((name, at) => {
    const verdict = bad[at] ?? "proven";
    return verdict === "mirror-unavailable"
      ? host(name, verdict, `dial tcp ${address(n)}:${40000 + n}->172.18.0.20:5000: connection refused`)
      : host(name, verdict);
  });
  const worst = [...verdicts].reverse().find((verdict) => hosts.some((one) => one.verdict === verdict)) ?? "proven";
  const differs = bad.includes("mismatch");
  const findings = bad.flatMap((verdict, at) =>
    verdict === "proven" ? [] : [`${names[at]}: the probe image did not come through the public name (${verdict})`],
  );
  return {
    node: address(n),
    containerd: ["1.6.20", "1.7.24", "2.1.9"][n % 3] ?? "",
    verdict: worst,
    hosts,
    images: ["gcr.io/anthos-baremetal-release/multi:2.0", "gcr.io/anthos-baremetal-release/pause:3.10"].map(
      (image, at) => ({
        image,
        mirrorImage: image.replace("gcr.io", "172.18.0.20:5000/test-namespace"),
        expectedDigest: digest(at + 1),
        publicRepoDigest: digest(at + 1),
        mirrorRepoDigest: differs && at === 0 ? digest(99) : digest(at + 1),
        match: !(differs && at === 0),
        ...(differs && at === 0 ? { verdict: "mismatch" as const } : {}),
      }),
    ),
    ...(findings.length > 0 ? { findings } : {}),
    coverage: coverage(n),
    prepulled: prepulled(n, names),
  };
}

function coverage(n: number): NodeCoverage {
  const gaps: NodeCoverage["gaps"] = [
    { image: "registry.k8s.io/metrics-server/metrics-server:v0.7.2", status: "missing", digest: digest(7), runs: true },
    {
      image: "gcr.io/anthos-baremetal-release/ansible-runner:1.30",
      status: "other-digest",
      digest: digest(8),
      mirrorDigest: digest(9),
      runs: true,
    },
    { image: "public.ecr.aws/team/batch:2026.11", status: "not-mirrored", digest: digest(10) },
  ];
  const lacking = gaps.slice(n % 4);
  return {
    counts: {
      served: 38 + (n % 2),
      local: 1,
      ...Object.fromEntries(lacking.map(({ status }) => [status, 1])),
    },
    gaps: lacking,
  };
}

function prepulled(n: number, names: readonly string[]): PrepulledImages {
  const came = Object.fromEntries(names.slice(0, 2).map((name, at) => [name, { pulled: 3 + at, present: n % 3 }]));
  const failed = {
    image: `${names[0]}/huge:1`,
    cause: "other" as const,
    error: `no space left, as ${address(n)} says`,
  };
  return { hosts: came, ...(n % 2 === 0 ? { failed: [failed] } : {}), ...(n % 20 === 0 ? { unnamed: 4 } : {}) };
}

/** A cluster as they are: all well on most nodes, something else on a few. */
export function fleet(count: number, hosts: number): ClusterVerification {
  const names = Array.from({ length: hosts }, (_, n) => known[n] ?? `registry-${n}.example.com`);
  const troubles: Verdict[][] = [
    ["fallback"],
    ["proven", "mismatch"],
    ["mirror-unavailable", "mirror-unavailable"],
    ["consistent", "not-configured"],
    ["unauthorized"],
    ["proven", "not-found"],
    ["pull-failed"],
  ];
  const nodes = Array.from({ length: count }, (_, n) => {
    if (n === 43) {
      return { node: address(n), containerd: "", verdict: "unreachable" as const, hosts: [], images: [] };
    }
    return node(n, names, n % 37 === 2 ? troubles[Math.floor(n / 37) % troubles.length] : []);
  });
  return aggregateVerification("admin1", nodes, ["10.9.9.1", "10.9.9.2"]);
}

/** No two nodes alike: the largest page there is for that many. */
export function worst(count: number, hosts: number): ClusterVerification {
  const names = Array.from({ length: hosts }, (_, n) => `registry-${n}.example.com`);
  const nodes = Array.from({ length: count }, (_, n) => {
    const bad = names.map((_name, at) =>
      (n >> (at % 10)) & 1 ? "mirror-unavailable" : (verdicts[(n + at) % 3] ?? "proven"),
    );
    return { ...node(n, names, bad), findings: [`finding of node ${n} alone`] };
  });
  return aggregateVerification("worst", nodes);
}

/** What names and texts of other programs may hold. */
export const hostileTexts = [
  `<script>globalThis.hacked = "script"</script>`,
  `"><img src=x onerror="globalThis.hacked='img'">`,
  `'><svg onload=globalThis.hacked='svg'>`,
  `</style><script>globalThis.hacked = "style"</script>`,
  `</title><script>globalThis.hacked = "title"</script>`,
  `--><script>globalThis.hacked = "comment"</script>`,
  "`${globalThis.hacked = 'backtick'}`",
  "javascript:globalThis.hacked='url'",
  "&lt;script&gt;globalThis.hacked='entity'&lt;/script&gt;",
  "abc\u202egnp.exe\u200b\u0000\u0007\ud800",
  "\u0645\u0631\u0622\u0629.example",
  `"; DROP TABLE nodes; -- , and ' | \\ % ] { }`,
] as const;

/** A cluster in which every text is hostile. */
export function hostile(): ClusterVerification {
  const nodes = hostileTexts.map((text, n): NodeVerification => {
    const verdict = verdicts[n % verdicts.length] ?? "proven";
    return {
      node: text,
      containerd: text,
      verdict,
      hosts: [
        {
          host: text,
          endpoints: [text, text],
          configured: true,
          proof: "failed",
          verdict,
          cause: "other",
          error: text,
        },
      ],
      images: [
        {
          image: text,
          mirrorImage: text,
          expectedDigest: text,
          publicRepoDigest: text,
          mirrorRepoDigest: text,
          match: n % 2 === 0,
          error: text,
        },
      ],
      findings: [text],
      prepulled: { hosts: { [text]: { pulled: 1 } }, failed: [{ image: text, cause: "other", error: text }] },
      coverage: {
        counts: { missing: 1 },
        gaps: [
          {
            image: text,
            status: n % 2 === 0 ? "unknown" : "other-digest",
            digest: text,
            mirrorDigest: text,
            reason: text,
          },
        ],
      },
    };
  });
  return aggregateVerification(hostileTexts.join(" "), nodes, [...hostileTexts]);
}

/** A push set as they are: some images made anew, some signed, one registry of three not complete. */
export function pushed(count: number): ReportedPushSet {
  const endpoints = ["172.18.0.20:5000/test-namespace", "172.18.0.21:5000/test-namespace", "mirror.example.com/site-7"];
  const image = (n: number, endpoint: string): PushedImage => {
    const path = `anthos-baremetal-release/image-${n}:1.30`;
    return {
      source: `gcr.io/${path}`,
      target: `${endpoint}/${path}`,
      digest: digest(n % 256),
      mediaType: "application/vnd.oci.image.index.v1+json",
      size: 12_345_678 * (1 + (n % 7)),
      preserved: n % 10 === 3 ? false : n % 10 === 4 ? "unknown" : true,
      ...(n % 10 === 3 ? { reason: "linux/arm64 is left out, as platforms says" } : {}),
      ...(n % 10 === 4 ? { reason: "the package does not tell whether the manifest is the registry's own" } : {}),
      ...(n % 2 === 0
        ? { signed: true as const, signedBy: [n % 4 === 0 ? "sha256:ab12cd34ef56" : "sha256:0123456789ab"] }
        : {}),
    };
  };
  const registries = endpoints.map((endpoint, at): PushedRegistry => {
    const all = Array.from({ length: count }, (_, n) => image(n, endpoint));
    const whole = { endpoint, host: endpoint.split("/")[0] ?? "", images: all };
    return at < 2
      ? whole
      : {
          ...whole,
          images: all.slice(1),
          failures: ["gcr.io/anthos-baremetal-release/image-0:1.30: the registry's disk is full [REGISTRY_FULL]"],
          former: [
            { source: "gcr.io/anthos-baremetal-release/image-0:1.29", digest: digest(200), behind: 1 },
            {
              source: "gcr.io/anthos-baremetal-release/image-1:1.28",
              digest: digest(201),
              behind: 2,
              refused: "REGISTRY_DELETE_DISABLED",
            },
          ],
        };
  });
  return { name: "images", registries };
}

/** A push set in which every text is hostile. */
export function hostilePushed(): ReportedPushSet {
  const images = hostileTexts.map((text, n) => ({
    source: text,
    target: text,
    digest: text,
    mediaType: text,
    size: 1,
    preserved: n % 2 === 0,
    reason: text,
    signed: true as const,
    signedBy: [text],
  }));
  const registries = hostileTexts.map((text) => ({
    endpoint: text,
    host: text,
    images,
    failures: [text],
    drift: [text],
    former: [{ source: text, digest: text, behind: 1 }],
  }));
  return { name: hostileTexts.join(" "), registries };
}
