import * as pulumi from "@pulumi/pulumi";

import type { AuthKinds, Credentials } from "../../provider/containerd/desired";
import { parseEndpointUrl } from "../../provider/containerd/hostNames";
import { stableText } from "../../provider/pulumi/plainValue";
import { parseRegistryEndpoint } from "../../provider/registry/endpoint";
import type { EndpointSeen } from "../../provider/registry/push/pushResult";
import { shapeProblems } from "../../provider/resources/arguments/shape";
import { selectionProblems, shapes } from "../../provider/resources/arguments/shapes";
import type { NodeVerify } from "../../provider/resources/node/shownVerify";
import type { NodeMirror } from "../../provider/resources/node/state";
import type { Stated } from "../../provider/resources/node/wire";
import type { ExpectedImage } from "../../provider/verify/evidence";
import { selectImages } from "../../provider/verify/selection";
import type { Resolved } from "../problems";
import { attempt } from "../problems";
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
      declaredMirror: pulumi.all([hosts, hostsDir, endpoints, files]).apply(([all, dir, seen, texts]) => {
        const problems = shapeProblems(
          { hosts: all, hostsDir: dir, endpoints: seen, files: texts },
          shapes.mirrorSource,
          "mirror",
        );
        const stated: Stated<NodeMirror> =
          problems.length > 0 ? { problems } : { value: { hosts: all, hostsDir: dir, auth: authKinds(seen) } };
        return stableText(stated);
      }),
      declaredFiles: pulumi.output(files).apply((texts) => stableText(texts ?? {})),
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
  const { images: selection = 1, onFailure } = verify === false ? {} : (verify ?? {});
  return declaredBy(mirror).declaredVerify.get([images, probe, verify === false, selection, onFailure], () => {
    if (verify === false) {
      return pulumi.output(images).apply(() => stableText({ value: false } satisfies Stated<false>));
    }
    return pulumi
      .all([images, selection, mirror.hosts, probe, onFailure])
      .apply(([pushed, chosen, hosts, tried, failing]) => {
        const problems = [
          ...selectionProblems(chosen),
          ...shapeProblems({ images: pushed, verify: { onFailure: failing } }, shapes.verify, ""),
        ];
        const found: Resolved<ExpectedImage[]> =
          problems.length > 0
            ? { problems }
            : attempt(() => selectImages(pushed ?? [], chosen, Array.isArray(hosts) ? hosts : []));
        const stated: Stated<NodeVerify> =
          found.value === undefined
            ? { problems: found.problems }
            : {
                value: {
                  images: found.value,
                  ...(tried === undefined ? {} : { probe: tried }),
                  ...(failing === "warn" ? { onFailure: failing } : {}),
                },
              };
        return stableText(stated);
      });
  });
}

function authKinds(endpoints: EndpointSeen[] | undefined): AuthKinds {
  return Object.fromEntries(
    (endpoints ?? []).flatMap(({ endpoint, auth }) => {
      const { authority } = parseRegistryEndpoint(endpoint);
      // A private registry goes by its name as it is written, also where that is an address without a port.
      const asWritten = parseEndpointUrl(endpoint)?.authority ?? authority;
      return [...new Set([authority, asWritten])].map((place) => [place, auth]);
    }),
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
