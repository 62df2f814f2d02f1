import type { ArgumentNames } from "../../model/argumentNames";
import { connectionFields } from "./shapes";

/** Of one that may have a bastion, which is reached in the same way. */
export const connectionNames: ArgumentNames = {
  ...Object.fromEntries(connectionFields.map((field) => [field, true])),
  get proxy(): ArgumentNames {
    return connectionNames;
  },
};

/** What a cluster may say of all its nodes, and of each one of them. `layout` is looked into where it is known. */
export const nodeSettingNames = {
  verify: { images: true, onFailure: true, coverage: true },
  prepull: { images: true, maxParallel: true, onFailure: true },
  configStyle: true,
  layout: true,
  criTimeout: true,
  forgetUnreachable: true,
  adopt: true,
  look: { timeout: true, maxParallel: true, onProblem: true, coverage: true },
} as const satisfies ArgumentNames;

export const nodeNames: ArgumentNames = {
  connection: connectionNames,
  mirror: true,
  images: true,
  probe: true,
  ...nodeSettingNames,
  hold: true,
};
