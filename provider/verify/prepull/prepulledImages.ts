import type { PullCause } from "../../node";

/** What `prepull` brought to a node, by public host. */
export interface PrepulledImages {
  /**
   * Images by the host in their names. Whom containerd asks for a host, in which order, and whether that was proven,
   * stands beside, in `verification.hosts`.
   */
  hosts: Record<string, PrepulledHost>;
  /** Images that could not be pulled; the first 5, because a state keeps them for each node. */
  failed?: FailedPrepull[];
  /** How many there are beyond `failed`. */
  unnamed?: number;
}

/** Images of one public host. */
export interface PrepulledHost {
  /** Pulled through the public name. */
  pulled?: number;
  /** There already, with the digest that was pushed; nobody was asked. */
  present?: number;
}

/** An image that could not be pulled. */
export interface FailedPrepull {
  /** Public name: `gcr.io/a/b:1`. */
  image: string;
  /** Why. */
  cause: PullCause;
  /** The same in containerd's words, without secrets. */
  error: string;
}

/** What a node's output names. */
export const mostFailures = 5;

/** A line for each image that did not come. */
export function failureLines({ failed = [], unnamed = 0 }: PrepulledImages): string[] {
  return [
    ...failed.map(({ image, cause, error }) => `${image}: ${cause}: ${error}`),
    ...(unnamed > 0 ? [`and ${unnamed} more`] : []),
  ];
}
