import * as pulumi from "@pulumi/pulumi";

import type { LayoutChoice } from "../../provider/containerd/layout/layouts";
import { silentLog } from "../../provider/model/context";
import type { Problem } from "../../provider/model/problem";
import type { NodeConnection } from "../../provider/node";
import type { Resolved } from "../../provider/resources/arguments/resolved";
import { shapeProblems } from "../../provider/resources/arguments/shape";
import { imagesOnNode } from "../../provider/resources/node/imagesOn";
import { layoutProblems } from "../../provider/resources/node/shapes";
import { imagesOnNames } from "../../provider/resources/pushSet/names";
import { shapes } from "../../provider/resources/pushSet/shapes";
import { imagesToCopy } from "../../provider/verify/coverage/imagesToCopy";
import { checkNames } from "../names";
import type { ConnectionArgs } from "../node/connection";
import { Turns } from "../turns";
import type { ImageListArgs, SourceRegistryArgs } from "./imageSource";

/** Which of the images on nodes are meant, and how they are read. */
export interface ImagesOnArgs {
  /** Hosts of their names, as a mirror's `hosts`: `["docker.io", "quay.io"]`. Images of other hosts are left out. */
  hosts: pulumi.Input<pulumi.Input<string>[]>;
  /**
   * Only images that a container was made from, or that every pod needs. Default false: all that lie there, which changes
   * less from day to day and holds those of jobs.
   */
  running?: pulumi.Input<boolean>;
  /** Public names to leave out, as a push set's `exclude`; a pattern that fits nothing is no mistake here. */
  exclude?: pulumi.Input<pulumi.Input<string>[]>;
  /** As of a list of images. Only asked for what the mirror does not have yet. */
  registries?: pulumi.Input<Record<string, pulumi.Input<SourceRegistryArgs>>>;
  /** Where containerd is on these nodes, as NodeContainerd's `layout`. Default "auto". */
  layout?: pulumi.Input<LayoutChoice>;
  /** Seconds for one node. Default 20. */
  timeout?: number;
  /** Most nodes that are asked side by side. Default 16. */
  maxParallel?: number;
}

/**
 * The images that lie on nodes, as a source of a push set: what they run and the mirror lacks is brought there, each with
 * the digest that the nodes have. What the mirror has already is read there, so that its own registry need not be reached.
 *
 * The nodes are asked while the program runs, read-only, in a preview and in an update. One that cannot be asked is an error
 * of the push set, because with `deleteImages` what only that node runs would be deleted.
 *
 * @param nodes How to reach them; a list of addresses that another resource makes may be an output.
 */
export function imagesOn(nodes: pulumi.Input<pulumi.Input<ConnectionArgs>[]>, args: ImagesOnArgs): ImageListArgs {
  return new ImagesOnNodes(nodes, args);
}

/** What `imagesOn` gives. */
export class ImagesOnNodes implements ImageListArgs {
  readonly images: pulumi.Output<string[]>;
  readonly registries?: pulumi.Input<Record<string, pulumi.Input<SourceRegistryArgs>>>;
  /** What prevented it. */
  readonly seen: pulumi.Output<Resolved<string[]>>;

  constructor(nodes: pulumi.Input<pulumi.Input<ConnectionArgs>[]>, args: ImagesOnArgs) {
    const { hosts, running, exclude, layout, registries, timeout = 20, maxParallel = 16 } = args;
    const { problems: slips } = checkNames(args, imagesOnNames, "imagesOn").now;
    const turns = new Turns(maxParallel);
    // What lies on a node is no secret, although a password may be needed to see it.
    this.seen = pulumi.unsecret(
      pulumi
        .output({ nodes, layout, choice: { hosts, running, exclude } })
        .apply((given) => see(given as unknown as Given, slips, timeout, turns)),
    );
    this.images = this.seen.apply(({ value = [] }) => value);
    if (registries !== undefined) {
      this.registries = registries;
    }
  }
}

interface Given {
  nodes: NodeConnection[];
  layout?: LayoutChoice;
  choice: { hosts: string[]; running?: boolean; exclude?: string[] };
}

const context = { signal: new AbortController().signal, log: silentLog };

async function see(
  { nodes, layout, choice }: Given,
  slips: readonly Problem[],
  timeout: number,
  turns: Turns,
): Promise<Resolved<string[]>> {
  const wrong = [
    ...slips,
    ...shapeProblems({ nodes, ...choice }, shapes.imagesOn, "imagesOn"),
    ...layoutProblems(layout),
  ];
  if (wrong.length > 0) {
    return { problems: wrong };
  }
  // Unit tests of programs, on Pulumi's mocks, have no engine: nothing must go out from those.
  const options = { timeout, ...(layout === undefined ? {} : { layout }) };
  const asked = pulumi.runtime.getEngine() === undefined ? [] : nodes;
  const found = await Promise.all(asked.map((node) => turns.run(() => imagesOnNode(node, options, context))));
  const problems = found.flatMap(({ problems: some = [] }) => some);
  const held = found.flatMap(({ value }) => (value === undefined ? [] : [value]));
  return problems.length > 0 ? { problems } : { value: imagesToCopy(held, choice), problems };
}
