import { join } from "node:path";

import { defaultCacheFolder } from "../../../provider/archive/index/cacheFolder";
import { LabError } from "./labError";

/**
 * Labs that run side by side on one machine must not share addresses. Instance 0 uses 127.0.x.y as the
 * documentation says; instance I uses 127.I.x.y.
 */
const highestInstance = 99;

/** Labs that nobody numbered take the first free one of these. */
export const automaticInstances: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/**
 * Where locks and the notes of running labs lie: the addresses belong to the machine, so these do too, whatever the
 * cache folder.
 */
export const machineStateDir = "/run/registry-mirror-lab";

export interface Instance {
  readonly number: number;
  /** Address of the Nth node, from 1. */
  nodeAddress(index: number): string;
  /** Address number `last` on the network the mirrors live in: 127.I.20.last. */
  mirrorAddress(last: number): string;
  /** Address that plays the public registries: 127.I.30.1; others for tests that want more. */
  publicAddress(last: number): string;
  /** A resolver address at which nobody answers: names that are not in /etc/hosts must not leave the machine. */
  readonly deadResolver: string;
  readonly lockFile: string;
  readonly stateFile: string;
  /** Cgroup below the cgroup 2 mount that holds every process of this lab. */
  readonly cgroup: string;
}

export function instanceOf(number: number): Instance {
  if (!Number.isInteger(number) || number < 0 || number > highestInstance) {
    throw new LabError("LAB_INSTANCE", `a lab's instance is a number from 0 to ${highestInstance}, not "${number}"`);
  }
  const address = (net: number, last: number): string => {
    if (last < 1 || last > 254) throw new LabError("LAB_ADDRESS", `no loopback address for number ${last}: 1 to 254`);
    return `127.${number}.${net}.${last}`;
  };
  return {
    number,
    nodeAddress: (index) => address(10, index),
    mirrorAddress: (last) => address(20, last),
    publicAddress: (last) => address(30, last),
    deadResolver: address(53, 53),
    lockFile: join(machineStateDir, `${number}.lock`),
    stateFile: join(machineStateDir, `${number}.json`),
    cgroup: `registry-mirror-lab-${number}`,
  };
}

/** The instance the environment asks for, if it does. */
export function instanceFromEnvironment(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const text = env.REGISTRY_MIRROR_LAB_INSTANCE;
  if (text === undefined || text === "") return undefined;
  if (!/^\d+$/.test(text))
    throw new LabError(
      "LAB_INSTANCE",
      `REGISTRY_MIRROR_LAB_INSTANCE is "${text}": give a number from 0 to ${highestInstance}`,
    );
  return instanceOf(Number(text)).number;
}

/** Trees, packages and the folders of running labs. */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const folder = env.REGISTRY_MIRROR_LAB_CACHE || join(defaultCacheFolder(env), "lab");
  // Overlay mount options separate folders with ":" and options with ",".
  if (/[:,\\\s]/.test(folder)) {
    throw new LabError(
      "LAB_CACHE",
      `the lab's cache folder "${folder}" has a character that overlay mounts cannot take; set REGISTRY_MIRROR_LAB_CACHE to another folder`,
    );
  }
  return folder;
}
