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
  /** Version that runs there: `1.7.24`. */
  containerd: string;
  /** The worst of all hosts and images. */
  verdict: Verdict;
  /** One entry for each mirrored host and each private registry. */
  hosts: HostVerification[];
  /** One entry for each compared image (V1). */
  images: ImageVerification[];
  /** What a person should read besides the verdict. */
  findings?: string[];
}

/** What was found for one mirrored host on one node. */
export interface HostVerification {
  /** As it stands in image names: `gcr.io`. */
  host: string;
  /** What containerd really asks, in order; `upstream` last when the public registry is asked at all. Empty: nothing configured. */
  endpoints: string[];
  /** V2: the mirror stands first in the effective configuration; a private registry is asked with its CA and credentials. */
  configured: boolean;
  /** B1: the probe came through this host's public name. "none" without a probe. */
  proof: "proven" | "failed" | "none";
  /** Of this host alone. */
  verdict: Verdict;
  /** A private registry without a mirror (C14): there is no route to prove, and the node's verdict does not ask for one. */
  direct?: true;
}

/** The page's method 1 for one image on one node: pulled by both names, repo digests compared. */
export interface ImageVerification {
  /** Public name: `gcr.io/a/b:1`. */
  image: string;
  /** Name in the mirror: `172.18.0.20:5000/ns/a/b:1`. */
  mirrorImage: string;
  /** What was pushed. */
  expectedDigest: Digest;
  /** Repo digest under the public name; empty when it could not be pulled. */
  publicRepoDigest: string;
  /** Repo digest under the mirror's name; empty when it could not be pulled. */
  mirrorRepoDigest: string;
  /** All three are the same. */
  match: boolean;
}
