import * as pulumi from "@pulumi/pulumi";

import { stateFiles, stateMirror, stateVerify } from "../../provider/resources/node/stated";
import type { NodeWire } from "../../provider/resources/node/wire";
import type { MirrorSource, NodeContainerdArgs } from "./nodeContainerd";

/** What all nodes of a mirror send alike. */
type SharedWire = {
  [Part in "declaredMirror" | "declaredFiles" | "credentials"]: pulumi.Output<NodeWire[Part]>;
} & {
  declaredVerify: Shared<pulumi.Output<NodeWire["declaredVerify"]>>;
};

/** Made once and given to a thousand nodes, instead of a thousand times the same out of the same. */
const wires = new WeakMap<MirrorSource, SharedWire>();

export function declaredBy(mirror: MirrorSource): SharedWire {
  let wire = wires.get(mirror);
  if (wire === undefined) {
    const { hosts, hostsDir, endpoints, files } = mirror;
    wire = {
      declaredMirror: pulumi
        .all([hosts, hostsDir, endpoints, files])
        .apply(([all, dir, seen, texts]) => stateMirror({ hosts: all, hostsDir: dir, endpoints: seen, files: texts })),
      declaredFiles: pulumi.output(files).apply(stateFiles),
      credentials: pulumi.secret(mirror.credentials),
      declaredVerify: new Shared(),
    };
    wires.set(mirror, wire);
  }
  return wire;
}

/**
 * Which images a node compares, and what else its verification needs; `false` for none, and yet the node waits for the
 * images.
 */
export function declaredVerify({ mirror, images, probe, verify }: NodeContainerdArgs): pulumi.Output<string> {
  const { images: selection, onFailure } = verify === false ? {} : (verify ?? {});
  return declaredBy(mirror).declaredVerify.get([images, probe, verify === false, selection, onFailure], () =>
    verify === false
      ? pulumi.output(images).apply(() => stateVerify(false))
      : pulumi
          .all([images, probe, selection, onFailure, mirror.hosts])
          .apply(([pushed, tried, chosen, failing, hosts]) =>
            stateVerify({ images: pushed, probe: tried, selection: chosen, onFailure: failing, hosts }),
          ),
  );
}

/**
 * Values by what they were made from. Only few are kept: nodes that each have something of their own share nothing, and
 * must not be searched.
 */
class Shared<T> {
  private readonly entries: { from: readonly unknown[]; value: T }[] = [];

  get(from: readonly unknown[], make: () => T): T {
    const found = this.entries.find((entry) => entry.from.every((part, i) => part === from[i]));
    if (found !== undefined) {
      return found.value;
    }
    const value = make();
    this.entries.unshift({ from, value });
    this.entries.splice(8);
    return value;
  }
}
