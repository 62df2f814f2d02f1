import type { Digest } from "../model/digest";
import type { PullCause } from "../node";
import type { NodeCoverage } from "./coverage/coverage";
import type { PrepulledImages } from "./prepull/prepulledImages";

/**
 * Chosen by cause, not by what is missing. The worst first:
 *
 * - `unreachable`: the node, or its container runtime, could not be asked.
 * - `not-configured`: the effective configuration lacks the mirror.
 * - `mismatch`: the mirror's name was pulled and gave another digest than was pushed.
 * - `unauthorized`: the mirror refused the node's credentials, or asked for some where the node has none.
 * - `mirror-unavailable`: the node gets no usable answer from the mirror: connection refused, no answer in time, a host
 *   name that is not known, a certificate that is not trusted, or an error of the mirror's own (429, 5xx).
 * - `not-found`: the mirror answers, and does not have an image that was pushed.
 * - `pull-failed`: an image could not be pulled, and nothing says that the mirror is the cause.
 * - `fallback`: configured, and the mirror answers, and yet the node pulled from upstream, or would (the probe is not
 *   to be had through the public name).
 * - `consistent`: configured, digests match, but no proof was made (no probe).
 * - `proven`: for every mirrored host an image that only the mirror can have was pulled through the public name, and
 *   all digests match.
 */
export type Verdict =
  | "proven"
  | "consistent"
  | "mismatch"
  | "fallback"
  | "not-configured"
  | "unreachable"
  | "unauthorized"
  | "mirror-unavailable"
  | "not-found"
  | "pull-failed";

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
  /** One entry for each compared image. */
  images: ImageVerification[];
  /** What a person should read besides the verdict. */
  findings?: string[];
  /**
   * Which of the images on the node would come from the mirror, as it was after the last change or verification, or at a
   * refresh that found other gaps. It is no part of the verdict. Left out with `verify.coverage: false`, where the node's
   * runtime does not list its images, and in states of 0.1.0.
   */
  coverage?: NodeCoverage;
  /** What `prepull` brought to the node, after the verification. It is no part of the verdict. Left out without `prepull`. */
  prepulled?: PrepulledImages;
}

/** What was found for one mirrored host on one node. */
export interface HostVerification {
  /** As it stands in image names: `gcr.io`. */
  host: string;
  /**
   * What containerd really asks, in order; `upstream` last when the public registry is asked at all. Empty: nothing
   * configured.
   */
  endpoints: string[];
  /**
   * The mirror stands first in the effective configuration; a private registry is asked with its CA and credentials.
   */
  configured: boolean;
  /** The probe came through this host's public name. "none" without a probe. */
  proof: "proven" | "failed" | "none";
  /** Of this host alone. */
  verdict: Verdict;
  /**
   * Why the probe did not come: what the mirror itself answered, asked by its own name. Left out unless `proof` is
   * "failed".
   */
  cause?: PullCause;
  /** The same in containerd's words, without secrets. */
  error?: string;
  /** A private registry without a mirror: there is no route to prove, and the node's verdict does not ask for one. */
  direct?: true;
}

/** One image on one node: pulled by its public name and by its name in the mirror, repo digests compared. */
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
  /** Of this image alone. Left out when it matches, and in states of 0.1.0. */
  verdict?: Verdict;
  /** Why a name could not be pulled; the mirror's, if that one failed. Left out when both could. */
  cause?: PullCause;
  /** The same in containerd's words, without secrets. */
  error?: string;
}
