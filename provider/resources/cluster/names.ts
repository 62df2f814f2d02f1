import type { ArgumentNames } from "../../model/argumentNames";
import { registryMirrorNames } from "../mirror/names";
import { connectionNames, nodeSettingNames } from "../node/names";

export const rolloutNames: ArgumentNames = {
  canary: true,
  maxParallel: true,
  controlPlaneParallel: true,
  order: true,
  only: true,
};

const overrideNames: ArgumentNames = { connection: connectionNames, ...nodeSettingNames };

const listedNodeNames: ArgumentNames = { address: true, name: true, role: true, pool: true, ...overrideNames };

/** @param args Of listed nodes each says which one it is; of an object by address its place does. */
export function clusterNames(args: { nodes?: unknown } | undefined): ArgumentNames {
  return {
    clusterConfig: true,
    clusterName: true,
    // A push set, or two of its outputs; the others are let through.
    images: { images: true, probe: true, endpoint: false, registries: false },
    rollout: rolloutNames,
    ...registryMirrorNames,
    privateRegistriesOn: true,
    mirror: true,
    skipFallback: true,
    dialTimeout: true,
    connection: { ...connectionNames, host: "each node has its own, which the file or nodes names" },
    nodes: [Array.isArray(args?.nodes) ? listedNodeNames : overrideNames],
    ...nodeSettingNames,
    hold: "rollout.only says which nodes take part",
  };
}
