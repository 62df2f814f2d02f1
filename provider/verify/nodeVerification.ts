import type { Digest } from "../oci/digest";

/**
 * - `proven`: for every mirrored host an image that only the mirror can have was pulled through the public name, and all digests match.
 * - `consistent`: configured, digests match, but no proof was made (no probe).
 * - `mismatch`: the mirror serves another digest than was pushed.
 * - `fallback`: configured or not, the node pulled from upstream (the probe is not to be had through the public name).
 * - `not-configured`: the effective configuration lacks the mirror.
 * - `unreachable`: the node or its CRI could not be asked.
 */
export type Verdict = "proven" | "consistent" | "mismatch" | "fallback" | "not-configured" | "unreachable";

/** Machine-readable result for one node. No timestamps: a second `up` must change nothing. */
export interface NodeVerification {
  /** The connection's host. */
  node: string;
  containerd: string;
  verdict: Verdict;
  hosts: HostVerification[];
  images: ImageVerification[];
  /** What a person should read besides the verdict. */
  findings?: string[];
}

export interface HostVerification {
  host: string;
  endpoints: string[];
  /** V2: the mirror stands first in the effective configuration. */
  configured: boolean;
  /** B1: the probe came through this host's public name. "none" without a probe. */
  proof: "proven" | "failed" | "none";
  verdict: Verdict;
}

export interface ImageVerification {
  image: string;
  mirrorImage: string;
  expectedDigest: Digest;
  publicRepoDigest: string;
  mirrorRepoDigest: string;
  match: boolean;
}
