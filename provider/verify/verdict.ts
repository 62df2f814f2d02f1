import type { Evidence, HostEvidence, ImageEvidence } from "./evidence";
import type { HostVerification, ImageVerification, NodeVerification, Verdict } from "./nodeVerification";

/** Worst first: a node is as good as its worst host or image. */
const order: Verdict[] = ["unreachable", "not-configured", "mismatch", "fallback", "consistent", "proven"];

export function worst(verdicts: readonly Verdict[]): Verdict {
  return order.find((verdict) => verdicts.includes(verdict)) ?? "consistent";
}

/** Whether a verdict counts as success. */
export function isGood(verdict: Verdict): boolean {
  return verdict === "proven" || verdict === "consistent";
}

/** Evidence in, judgement out; nothing is asked any more. */
export function judge(node: string, containerd: string, evidence: Evidence): NodeVerification {
  const findings = [...evidence.problems];
  const hosts = evidence.hosts.map((host) => judgeHost(host, findings));
  const images = evidence.images.map((image) => judgeImage(image, findings));
  const imageVerdicts = evidence.images.map((image): Verdict => {
    if (image.mirrorUnnameable === true) {
      return image.publicDigest === image.digest ? "proven" : "mismatch";
    }
    if (image.mirrorDigest === image.digest && image.publicDigest === image.digest) {
      return "proven";
    }
    if (image.mirrorDigest === image.digest) {
      // The mirror has the right one and yet the public name gave another: it did not come from the mirror.
      return "fallback";
    }
    return "mismatch";
  });
  findings.push(...(evidence.remarks ?? []));
  // A private registry that is configured takes nothing from the proof of the mirrored ones.
  const decisive = hosts.filter((host) => host.direct !== true || !isGood(host.verdict));
  const counted = decisive.length + images.length > 0 ? decisive : hosts;
  const verdict = worst([...counted.map((host) => host.verdict), ...imageVerdicts]);
  return {
    node,
    containerd,
    verdict: hosts.length === 0 && images.length === 0 ? "not-configured" : verdict,
    hosts,
    images,
    ...(findings.length > 0 ? { findings } : {}),
  };
}

function judgeHost(host: HostEvidence, findings: string[]): HostVerification {
  const inOrder = host.expectedEndpoints.every((endpoint, n) => sameEndpoint(host.effectiveEndpoints[n], endpoint));
  const missing = host.missing ?? [];
  const configured = inOrder && !host.unwantedUpstream && missing.length === 0;
  findings.push(...missing);
  if (!inOrder) {
    const effective = host.effectiveEndpoints.length > 0 ? host.effectiveEndpoints.join(", ") : "no mirror";
    findings.push(`${host.host}: containerd is configured for ${effective} where ${host.expectedEndpoints.join(", ")} is wanted`);
  } else if (host.unwantedUpstream) {
    findings.push(`${host.host}: the public registry would still be asked although skipFallback is set`);
  }
  if (host.probe.state === "failed") {
    findings.push(`${host.host}: the probe image did not come through the public name: ${host.probe.error}`);
  }
  const proof = host.probe.state === "pulled" ? "proven" : host.probe.state;
  const verdict: Verdict = !configured ? "not-configured" : proof === "failed" ? "fallback" : proof === "proven" ? "proven" : "consistent";
  const direct = host.direct === true ? { direct: true as const } : {};
  return { host: host.host, endpoints: host.effectiveEndpoints, configured, proof, verdict, ...direct };
}

function judgeImage(image: ImageEvidence, findings: string[]): ImageVerification {
  const match = image.publicDigest === image.digest && (image.mirrorUnnameable === true || image.mirrorDigest === image.digest);
  if (image.mirrorUnnameable === true) {
    findings.push(`${image.target}: this containerd cannot name an image by an IPv6 address, so only the public name was compared`);
  }
  if (image.publicError !== undefined) {
    findings.push(`${image.source}: ${image.publicError}`);
  }
  if (image.mirrorError !== undefined) {
    findings.push(`${image.target}: ${image.mirrorError}`);
  }
  if (!match && image.publicError === undefined && image.mirrorError === undefined) {
    findings.push(`${image.source}: pushed ${image.digest}, the mirror's name gave ${image.mirrorDigest}, the public name ${image.publicDigest}`);
  }
  return {
    image: image.source,
    mirrorImage: image.target,
    expectedDigest: image.digest,
    publicRepoDigest: image.publicDigest,
    mirrorRepoDigest: image.mirrorDigest,
    match,
  };
}

/** `https://h:5000/v2` and `https://h:5000/` ask the same URLs. */
function sameEndpoint(a: string | undefined, b: string): boolean {
  const plain = (url: string): string => url.toLowerCase().replace(/\/+$/, "").replace(/\/v2$/, "");
  return a !== undefined && plain(a) === plain(b);
}
