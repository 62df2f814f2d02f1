import type * as pulumi from "@pulumi/pulumi";

import type { InspectedPackage } from "../../provider/resources/pushSet/package";
import { whenKnown } from "../known";

/** By the output of a push set that will be known in the update. */
const planned = new WeakMap<object, pulumi.Output<InspectedPackage | undefined>>();

/** Says what a push set is about to bring, for a preview that asks what its registry lacks. */
export function rememberPlanned(images: object, seen: pulumi.Output<InspectedPackage | undefined>): void {
  planned.set(images, seen);
}

/** Name -> digest of what these images will be; empty where no push set is behind them, or its package is not read yet. */
export async function plannedImages(images: unknown): Promise<Record<string, string>> {
  const seen = typeof images === "object" && images !== null ? planned.get(images) : undefined;
  const known = seen === undefined ? undefined : await whenKnown(seen);
  return Object.fromEntries((known?.value?.contents ?? []).map((line) => line.split(" ") as [string, string]));
}
