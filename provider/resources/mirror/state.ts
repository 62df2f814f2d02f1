import type { EndpointSeen } from "../../registry/push/pushResult";
import type { MirrorWire } from "./wire";

/** What the state keeps of a mirror, and what nodes take from it. */
export interface MirrorOutputs extends MirrorWire {
  endpoints: EndpointSeen[];
}
