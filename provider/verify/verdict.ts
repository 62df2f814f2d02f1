import type { Finding } from "../model/finding";
import { findingAbout, findingText } from "../model/finding";
import { namesEndpoint, type PullCause, type PullFailure } from "../node";
import type { Evidence, FailedProbe, HostEvidence, ImageEvidence, MirrorAnswer } from "./evidence";
import type { HostVerification, ImageVerification, NodeVerification, Verdict } from "./nodeVerification";

/** Worst first: a node is as good as its worst host or image. */
const order: Verdict[] = [
  "unreachable",
  "not-configured",
  "mismatch",
  "unauthorized",
  "mirror-unavailable",
  "not-found",
  "pull-failed",
  "fallback",
  "consistent",
  "proven",
];

/** Every verdict, the best first. */
export const verdicts: readonly Verdict[] = order.toReversed();

/** Of a mirror that did not give what it should have. */
const verdictOf: Record<PullCause, Verdict> = {
  node: "unreachable",
  unauthorized: "unauthorized",
  tls: "mirror-unavailable",
  dns: "mirror-unavailable",
  connection: "mirror-unavailable",
  timeout: "mirror-unavailable",
  "server-error": "mirror-unavailable",
  "rate-limit": "mirror-unavailable",
  "not-found": "not-found",
  other: "pull-failed",
};

export function worst(verdicts: readonly Verdict[]): Verdict {
  return order.find((verdict) => verdicts.includes(verdict)) ?? "consistent";
}

/** Whether a verdict counts as success. */
export function isGood(verdict: Verdict): boolean {
  return verdict === "proven" || verdict === "consistent";
}

/** Evidence in, judgement out; nothing is asked any more. */
export function evaluate(node: string, containerd: string, evidence: Evidence): NodeVerification {
  const findings = [...evidence.findings];
  const hosts = evidence.hosts.map((host) => evaluateHost(host, findings));
  const images = evidence.images.map((image) => evaluateImage(image, findings));
  findings.push(...(evidence.remarks ?? []));
  // A private registry that is configured takes nothing from the proof of the mirrored ones.
  const decisive = hosts.filter((host) => host.direct !== true || !isGood(host.verdict));
  const counted = decisive.length + images.length > 0 ? decisive : hosts;
  const verdict = worst([
    ...counted.map((host) => host.verdict),
    ...images.map((image): Verdict => image.verdict ?? "proven"),
  ]);
  return {
    node,
    containerd,
    verdict: hosts.length === 0 && images.length === 0 ? "not-configured" : verdict,
    hosts,
    images,
    ...(findings.length > 0 ? { findings: findings.map(findingText) } : {}),
  };
}

function evaluateHost(host: HostEvidence, findings: Finding[]): HostVerification {
  const inOrder = host.expectedEndpoints.every((endpoint, n) => sameEndpoint(host.effectiveEndpoints[n], endpoint));
  const missing = host.missing ?? [];
  const configured = inOrder && !host.unwantedUpstream && missing.length === 0;
  findings.push(...missing);
  if (!inOrder) {
    const effective = host.effectiveEndpoints.length > 0 ? host.effectiveEndpoints.join(", ") : "no mirror";
    findings.push(
      errorAbout(
        host.host,
        "not-configured",
        `containerd is configured for ${effective} where ${host.expectedEndpoints.join(", ")} is wanted`,
      ),
    );
  } else if (host.unwantedUpstream) {
    findings.push(
      errorAbout(host.host, "upstream-asked", "the public registry would still be asked although skipFallback is set"),
    );
  }
  const probe = host.probe.state === "failed" ? evaluateProbe(host, host.probe) : undefined;
  if (probe !== undefined) {
    findings.push(
      errorAbout(host.host, "probe-failed", `the probe image did not come through the public name: ${probe.finding}`),
    );
  }
  const proof = host.probe.state === "pulled" ? "proven" : host.probe.state;
  return {
    host: host.host,
    endpoints: host.effectiveEndpoints,
    configured,
    proof,
    verdict: !configured ? "not-configured" : (probe?.verdict ?? (proof === "proven" ? "proven" : "consistent")),
    ...(probe === undefined ? {} : { cause: probe.cause, error: probe.error }),
    ...(host.direct === true ? { direct: true as const } : {}),
  };
}

type VerificationFindingKind = "not-configured" | "upstream-asked" | "probe-failed" | "pull-failed" | "digests-differ";

function errorAbout(subject: string, kind: VerificationFindingKind, text: string): Finding<VerificationFindingKind> {
  return findingAbout(subject, ": ", { kind, severity: "error", text });
}

interface ProbeVerdict extends PullFailure {
  verdict: Verdict;
  finding: string;
}

/**
 * What the mirrors themselves answered decides; the public name's error only where none of them could be asked by its
 * own name.
 */
function evaluateProbe(host: HostEvidence, probe: FailedProbe): ProbeVerdict {
  const failed = probe.mirrors.filter((mirror): mirror is Required<MirrorAnswer> => mirror.failure !== undefined);
  const given = probe.mirrors.find((mirror) => mirror.failure === undefined);
  const upstream = host.effectiveEndpoints.includes("upstream");
  if (given !== undefined) {
    return {
      verdict: "fallback",
      ...probe.public,
      finding: `${given.endpoint} has it under its own name; the public name says: ${probe.public.error}`,
    };
  }
  const worstAnswer = failed.toSorted(
    (a, b) => order.indexOf(verdictOf[a.failure.cause]) - order.indexOf(verdictOf[b.failure.cause]),
  )[0];
  if (worstAnswer === undefined) {
    const named = host.effectiveEndpoints.some((endpoint) => namesEndpoint(probe.public, endpoint));
    return {
      verdict: named || !upstream ? verdictOf[probe.public.cause] : "fallback",
      ...probe.public,
      finding: probe.public.error,
    };
  }
  const { failure } = worstAnswer;
  // A mirror that is in order and lacks the image hands over to the public registry.
  const verdict = failure.cause === "not-found" && upstream ? "fallback" : verdictOf[failure.cause];
  return {
    verdict,
    ...failure,
    finding: failed
      .map(({ endpoint, failure: said }) => `${endpoint} answers (${said.cause}): ${said.error}`)
      .join("; "),
  };
}

function evaluateImage(image: ImageEvidence, findings: Finding[]): ImageVerification {
  const match =
    image.publicDigest === image.digest && (image.mirrorUnnameable === true || image.mirrorDigest === image.digest);
  if (image.mirrorUnnameable === true) {
    findings.push(
      findingAbout(image.target, ": ", {
        kind: "not-nameable",
        severity: "note",
        text: "this containerd cannot name an image by an IPv6 address, so only the public name was compared",
      }),
    );
  }
  for (const [name, failure] of [
    [image.source, image.publicFailure],
    [image.target, image.mirrorFailure],
  ] as const) {
    if (failure !== undefined) {
      findings.push(
        findingAbout(name, " ", {
          kind: "pull-failed",
          severity: "error",
          text: `could not be pulled (${failure.cause}): ${failure.error}`,
        }),
      );
    }
  }
  if (!match && image.publicFailure === undefined && image.mirrorFailure === undefined) {
    findings.push(
      errorAbout(
        image.source,
        "digests-differ",
        `pushed ${image.digest}, the mirror's name gave ${image.mirrorDigest}, the public name ${image.publicDigest}`,
      ),
    );
  }
  const failure = image.mirrorFailure ?? image.publicFailure;
  return {
    image: image.source,
    mirrorImage: image.target,
    expectedDigest: image.digest,
    publicRepoDigest: image.publicDigest,
    mirrorRepoDigest: image.mirrorDigest,
    match,
    ...(match ? {} : { verdict: imageVerdict(image) }),
    ...(failure ?? {}),
  };
}

/** Of an image whose digests are not all the same. */
function imageVerdict(image: ImageEvidence): Verdict {
  if (image.mirrorFailure !== undefined) {
    return verdictOf[image.mirrorFailure.cause];
  }
  if (image.mirrorUnnameable !== true && image.mirrorDigest !== image.digest) {
    return "mismatch";
  }
  const { publicFailure, asked } = image;
  if (publicFailure === undefined) {
    // By its own name the mirror gives the right one, so another came from elsewhere; where it has no name, nobody can
    // tell.
    return image.mirrorUnnameable === true ? "mismatch" : "fallback";
  }
  const byMirror =
    asked?.upstream === false || asked?.endpoints.some((endpoint) => namesEndpoint(publicFailure, endpoint)) === true;
  if (byMirror || publicFailure.cause === "node") {
    return verdictOf[publicFailure.cause];
  }
  return publicFailure.cause === "other" ? "pull-failed" : "fallback";
}

/** `https://h:5000/v2` and `https://h:5000/` ask the same URLs. */
function sameEndpoint(a: string | undefined, b: string): boolean {
  const plain = (url: string): string => url.toLowerCase().replace(/\/+$/, "").replace(/\/v2$/, "");
  return a !== undefined && plain(a) === plain(b);
}
