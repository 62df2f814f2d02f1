import type { HostVerification, Verdict } from "./nodeVerification";

/** What a verdict means, for a reader who has no manual at hand. */
export const meanings: Record<Verdict, string> = {
  proven: "an image that only the mirror can have was pulled through every mirrored host's public name",
  consistent: "configured and all digests agree, but nothing proves which registry answered",
  "not-configured": "the mirror does not stand first in the node's effective configuration",
  fallback: "the node pulled from the public registry, not from the mirror",
  mismatch: "the mirror serves another digest than was pushed",
  unauthorized: "the mirror refuses the node's credentials, or asks for some where the node has none",
  "mirror-unavailable": "the node gets no usable answer from the mirror",
  "not-found": "the mirror answers, and does not have what was pushed",
  "pull-failed": "an image could not be pulled, and nothing says that the mirror is the cause",
  unreachable: "the node or its container runtime could not be asked",
};

/** What proves that a host is pulled through the mirror, or why nothing does. */
export function proofOf(host: HostVerification): string {
  return host.direct === true
    ? "asked directly"
    : host.cause === undefined
      ? host.proof
      : `${host.proof} (${host.cause})`;
}

/** What containerd asks for a host, in order. */
export function endpointsOf(host: HostVerification): string {
  return host.endpoints.length === 0 ? "nothing configured" : host.endpoints.join(", ");
}

/** `sha256:27be66fb9140...`, or of `name@sha256:27be...` the digest's part. */
export function shortDigest(digest: string): string {
  const match = /sha(?:256|512):[0-9a-f]+/.exec(digest)?.[0];
  if (match === undefined) {
    return digest === "" ? "none" : digest;
  }
  const [algorithm, hex = ""] = match.split(":");
  return `${algorithm}:${hex.slice(0, 12)}`;
}
