import { MirrorError } from "../../model/errors";
import type { Probe } from "../../registry/push/pushResult";
import type { ExpectedImage } from "../../verify/evidence";
import type { NodePrepull, ShownPrepull } from "./prepull";
import { showPrepull } from "./prepull";

/** What to look at on a node, as the program declares it. `images` are already chosen. */
export interface NodeVerify {
  /** Default "error". */
  onFailure?: "warn";
  /** Default "warn". */
  coverage?: "error" | false;
  images: ExpectedImage[];
  probe?: Probe;
  /** What is pulled after the verification. */
  prepull?: NodePrepull;
}

/** The same as a reviewer reads it and the state keeps it: a line an image. */
export interface ShownVerify extends Omit<NodeVerify, "images" | "probe" | "prepull"> {
  /** `gcr.io/a/b:1 = 10.0.0.1:5000/ns/a/b:1@sha256:...` */
  images: string[];
  /** `registry-mirror-probe/probe:TAG@sha256:...` */
  probe?: string;
  prepull?: ShownPrepull;
}

export function showVerify({ images, probe, prepull, ...rest }: NodeVerify): ShownVerify {
  return {
    ...rest,
    images: images.map(({ source, target, digest }) => `${source} = ${target}@${digest}`),
    ...(probe === undefined ? {} : { probe: `${probe.repository}:${probe.tag}@${probe.digest}` }),
    ...(prepull === undefined ? {} : { prepull: showPrepull(prepull) }),
  };
}

/**
 * Without `prepull`, of which the text has no more than a digest.
 *
 * @throws MirrorError `VERIFY_TEXT` for a text that showVerify() never gave: a state that was edited by hand
 */
export function readVerify({ images, probe, prepull: _prepull, ...rest }: ShownVerify): Omit<NodeVerify, "prepull"> {
  return { ...rest, images: images.map(readImage), ...(probe === undefined ? {} : { probe: readProbe(probe) }) };
}

function readImage(text: string): ExpectedImage {
  const [, source, target, digest] = /^(\S+) = (\S+)@([^@\s]+)$/.exec(text) ?? unreadable(text);
  return { source, target, digest } as ExpectedImage;
}

function readProbe(text: string): Probe {
  const [, repository, tag, digest] = /^(\S+):([^:@\s]+)@([^@\s]+)$/.exec(text) ?? unreadable(text);
  return { repository, tag, digest } as Probe;
}

function unreadable(text: string): never {
  throw new MirrorError(
    "VERIFY_TEXT",
    `"${text}" in the state is not what was written there; run pulumi up with verify: false, then as before.`,
  );
}
