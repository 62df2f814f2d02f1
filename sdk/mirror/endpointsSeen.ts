import type * as pulumi from "@pulumi/pulumi";

import { silentLog } from "../../provider/model/context";
import type { EndpointSeen } from "../../provider/registry/push/pushResult";
import type { EndpointsToAsk } from "../../provider/resources/mirror/endpoints";
import { askEndpoints } from "../../provider/resources/mirror/endpoints";
import { whenKnown } from "../known";
import type { LiftedWire } from "../lifted";

type Endpoints = pulumi.Input<EndpointSeen[]>;
type Asking = Promise<EndpointSeen[] | undefined>;

/** By the output that will be known in the update. */
const waiting = new WeakMap<object, LiftedWire<EndpointsToAsk>>();
const asked = new WeakMap<object, Asking>();

/** Says what a mirror's endpoints are asked with, for a preview that looks before the mirror itself has asked them. */
export function rememberEndpoints(endpoints: pulumi.Output<EndpointSeen[]>, wire: LiftedWire<EndpointsToAsk>): void {
  waiting.set(endpoints, wire);
}

/**
 * How a mirror's endpoints authenticate, also in a preview of a mirror that is new or changed: they are asked then, once,
 * as the update will. Undefined while nobody can ask them.
 */
export function endpointsSeen(endpoints: Endpoints): Asking {
  const key = endpoints as object;
  let asking = asked.get(key);
  if (asking === undefined) {
    asking = seen(endpoints);
    asked.set(key, asking);
  }
  return asking;
}

async function seen(endpoints: Endpoints): Asking {
  const known = await whenKnown(endpoints);
  if (known !== undefined) {
    return known.value;
  }
  const wire = waiting.get(endpoints);
  const toAsk = wire === undefined ? undefined : await whenKnown(wire as pulumi.Input<EndpointsToAsk>);
  // A declaration with problems, which its own check tells, is not asked for.
  if (toAsk?.value.files === undefined) {
    return undefined;
  }
  const context = { signal: new AbortController().signal, log: silentLog };
  return (await askEndpoints(toAsk.value, context)).seen;
}
