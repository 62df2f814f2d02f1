import * as pulumi from "@pulumi/pulumi";

import { stateFiles, stateMirror, stateVerify } from "../../provider/resources/node/stated";
import type { DeclaredTexts, NodeWire } from "../../provider/resources/node/wire";
import type { MirrorSource, NodeContainerdArgs } from "./nodeContainerd";

/** What all nodes of a mirror send alike. */
interface SharedWire {
  mirror: pulumi.Output<string>;
  files: pulumi.Output<string>;
  credentials: pulumi.Output<NodeWire["credentials"]>;
  verify: Shared<pulumi.Output<string>>;
}

/** Made once and given to a thousand nodes, instead of a thousand times the same out of the same. */
const wires = new WeakMap<MirrorSource, SharedWire>();

function sharedBy(mirror: MirrorSource): SharedWire {
  let wire = wires.get(mirror);
  if (wire === undefined) {
    const { hosts, hostsDir, endpoints, files } = mirror;
    wire = {
      mirror: pulumi
        .all([hosts, hostsDir, endpoints, files])
        .apply(([all, dir, seen, texts]) => stateMirror({ hosts: all, hostsDir: dir, endpoints: seen, files: texts })),
      files: pulumi.output(files).apply(stateFiles),
      credentials: pulumi.secret(mirror.credentials),
      verify: new Shared(),
    };
    wires.set(mirror, wire);
  }
  return wire;
}

/** What a node's arguments declare: the texts by themselves, so that a preview knows one without the others. */
export function declaredBy(args: NodeContainerdArgs): {
  declared: { [Text in keyof DeclaredTexts]: pulumi.Output<string> };
  credentials: pulumi.Output<NodeWire["credentials"]>;
} {
  const { mirror, files, credentials } = sharedBy(args.mirror);
  return { declared: { mirror, files, verify: declaredVerify(args) }, credentials };
}

/**
 * Which images a node compares, and what else its verification needs; `false` for none, and yet the node waits for the
 * images.
 */
function declaredVerify({ mirror, images, probe, verify, ...args }: NodeContainerdArgs): pulumi.Output<string> {
  const prepull = args.prepull === false ? undefined : args.prepull;
  const { images: selection, onFailure, coverage } = verify === false ? {} : (verify ?? {});
  return sharedBy(mirror).verify.get([images, probe, verify === false, selection, onFailure, coverage, prepull], () =>
    verify === false
      ? pulumi.all([images, prepull]).apply(([, early]) => stateVerify(false, early))
      : pulumi
          .all([images, probe, selection, onFailure, coverage, mirror.hosts, prepull])
          .apply(([pushed, tried, chosen, failing, covered, hosts, early]) =>
            stateVerify({
              ...{ images: pushed, probe: tried, selection: chosen },
              ...{ onFailure: failing, coverage: covered, hosts, prepull: early },
            }),
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
