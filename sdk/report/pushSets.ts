import * as pulumi from "@pulumi/pulumi";

import type { PushedRegistry } from "../../provider/registry/push/pushedRegistry";
import type { ReportedPushSet } from "../../provider/verify/pushed/reportedPushSet";
import type { ImagePushSet } from "../pushSet/imagePushSet";

/** A push set of another program: its output `registries`, and what the report calls it. */
export interface NamedPushSetArgs {
  /** A heading's text. */
  name: pulumi.Input<string>;
  /** What ImagePushSet's output of this name says; of a stack reference for instance. */
  registries: pulumi.Input<readonly pulumi.Input<PushedRegistry>[]>;
}

/** What a report says beside a verification. */
export interface ReportArgs {
  /**
   * Push sets, whose registries, images, signatures and failures the report has too: `images`, or
   * `[images, addOns]`. Default: none.
   */
  pushSets?: ImagePushSet | NamedPushSetArgs | readonly (ImagePushSet | NamedPushSetArgs)[];
}

/** With their values, once they are known. */
export function liftPushSets(given: ReportArgs["pushSets"] = []): pulumi.Output<ReportedPushSet[]> {
  const all = (Array.isArray(given) ? given : [given]) as readonly (ImagePushSet | NamedPushSetArgs)[];
  return pulumi
    .all(all.map((one) => pulumi.all([isResource(one) ? one.urn.apply(nameOf) : one.name, one.registries])))
    .apply((lifted) => lifted.map(([name, registries]) => ({ name, registries })));
}

function isResource(one: ImagePushSet | NamedPushSetArgs): one is ImagePushSet {
  return pulumi.Resource.isInstance(one);
}

function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}
