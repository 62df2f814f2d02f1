import type { PushedRegistry } from "../../registry/push/pushedRegistry";

/** A push set in a report: what it has in its registries. */
export interface ReportedPushSet {
  /** What the report calls it: the resource's name. */
  name: string;
  /** Its output `registries`. */
  registries: readonly PushedRegistry[];
}
