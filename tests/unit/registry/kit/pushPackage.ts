import type { ImagePackage } from "../../../../provider/archive/imagePackage";
import type { PackagePushOptions, PushOutcome, PushTarget } from "../../../../provider/registry/push/push";
import { pushToAll, resultOf } from "../../../../provider/registry/push/push";
import type { PushResult } from "../../../../provider/registry/push/pushResult";
import type { Registry } from "../../../../provider/registry/registry";

export interface PushOptions extends PackagePushOptions, Omit<PushTarget, "registry"> {}

/** A push to one registry; throws what ends it. */
export async function pushPackage(pkg: ImagePackage, registry: Registry, options: PushOptions): Promise<PushResult> {
  const [outcome] = await pushToAll(pkg, [{ ...options, registry }], options);
  return resultOf(outcome as PushOutcome);
}
