import * as pulumi from "@pulumi/pulumi";

import type { Credentials } from "../../provider/containerd/desired";
import { stateFiles, stateMirror, stateVerify } from "../../provider/resources/node/stated";
import type { MirrorSource, NodeContainerdArgs } from "./nodeContainerd";

/** What all nodes of a mirror send of it. */
interface MirrorWire {
  declaredMirror: pulumi.Output<string>;
  declaredFiles: pulumi.Output<string>;
  credentials: pulumi.Output<Credentials>;
  declaredVerify: Shared<pulumi.Output<string>>;
}

/** Made once and given to a thousand nodes, instead of a thousand times the same out of the same. */
const wires = new WeakMap<MirrorSource, MirrorWire>();

export function declaredBy(mirror: MirrorSource): MirrorWire {
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
