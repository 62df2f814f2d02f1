import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

import { destroyGroupSync, groupIsAlive } from "./controlGroup";
import { type Instance, machineStateDir } from "./instance";
import type { LabDescription } from "./labDescription";
import { removeFolderSync, unmountBelowSync } from "./mounts";

/** What is written down about a running lab, so that a later process can use it or clean up after it. */
export interface InstanceState {
  readonly version: 1;
  /** Folder with everything the lab wrote; deleted at the end. */
  readonly runDir: string;
  readonly owner: number;
  /** A lab that a person started and that stays until `down`. */
  readonly background: boolean;
  /** Present once everything is up. */
  readonly lab?: LabDescription;
}

/** Lies in every run folder: only a folder that has it is ever deleted. */
export const runMarker = ".registry-mirror-lab";

export function writeState(instance: Instance, state: InstanceState): void {
  mkdirSync(machineStateDir, { recursive: true, mode: 0o700 });
  const temporary = `${instance.stateFile}.new`;
  writeFileSync(temporary, JSON.stringify(state, undefined, 2), { mode: 0o600 });
  renameSync(temporary, instance.stateFile);
}

export function readState(instance: Instance): InstanceState | undefined {
  try {
    const state = JSON.parse(readFileSync(instance.stateFile, "utf8")) as InstanceState;
    return state.version === 1 ? state : undefined;
  } catch {
    return undefined;
  }
}

/** A lab that was left running on purpose and still runs. */
export function backgroundLab(instance: Instance): InstanceState | undefined {
  const state = readState(instance);
  return state?.background && state.lab && groupIsAlive(instance.cgroup) ? state : undefined;
}

/** Ends everything of an instance: processes, mounts, files. Safe to call on one that never ran, and again. */
export function destroyInstanceSync(instance: Instance): void {
  const state = readState(instance);
  destroyGroupSync(instance.cgroup);
  if (state) {
    unmountBelowSync(state.runDir);
    if (existsSync(join(state.runDir, runMarker)) && basename(state.runDir) === String(instance.number))
      removeFolderSync(state.runDir);
  }
  rmSync(instance.stateFile, { force: true });
}
