import type { OperationContext } from "../../model/context";
import { messageOf } from "../../model/errors";
import { Registry } from "../../registry/registry";
import type { InspectedImage } from "../../registry/sets/inspect";
import { inspectImages } from "../../registry/sets/inspect";
import type { LostContents } from "../../registry/sets/lostContents";
import { lostContents } from "../../registry/sets/lostContents";
import type { ManifestsByRepository } from "../../registry/sets/pushSetRecord";
import { hasRecord, readRecord } from "../../registry/sets/pushSetRecord";
import type { RegistryEntry } from "./comparison";
import { stateOf } from "./registries";
import type { RegistryState } from "./state";

/**
 * What a registry still has of what was pushed to it.
 *
 * @param check "blobs": also what lies below intact tags.
 * @returns the state with what is found, or as it was where the registry could not be asked
 */
export async function refreshRegistry(
  { connection, argument }: Pick<RegistryEntry, "connection" | "argument">,
  state: RegistryState,
  check: "manifests" | "blobs" | undefined,
  context: OperationContext,
): Promise<RegistryState> {
  const registry = new Registry(connection, context, { argument });
  try {
    const found = await inspectImages(registry, state.images, state.probe, context);
    const drift = found.filter((entry) => entry.found !== entry.expected).map(driftLine);
    if (state.record !== undefined && !(await hasRecord(registry, state.record))) {
      drift.push(`${state.record.repository}: the record of what this push set has is gone`);
    }
    const lost = check === "blobs" ? await lostBelow(registry, state, found, context) : [];
    drift.push(...lost.map(({ image, digests }) => `${image}: its tag is there, and ${digests.join(", ")} of it gone`));
    return stateOf(state.endpoint, {
      ...state,
      drift: drift.length === 0 ? undefined : drift,
      damaged: lost.length === 0 ? undefined : lost.map(({ image }) => image),
    });
  } catch (error) {
    // Not reaching the registry says nothing about what lies in it: the state stays as it is.
    context.log.warn(
      `${connection.endpoint}: the registry could not be asked, the state is kept as it was: ${messageOf(error)}`,
    );
    return state;
  } finally {
    await registry.close();
  }
}

/** Of images whose tags are as they were left. */
async function lostBelow(
  registry: Registry,
  { images, record }: RegistryState,
  found: readonly InspectedImage[],
  context: OperationContext,
): Promise<LostContents[]> {
  const intact = new Set(found.filter((one) => one.found === one.expected).map(({ image }) => image));
  const recorded = record === undefined ? undefined : await readRecord(registry, record);
  const here = images.filter(({ source }) => intact.has(source));
  return lostContents(registry, here, recorded?.manifests ?? nothingRecorded, context);
}

const nothingRecorded: ManifestsByRepository = new Map();

function driftLine(entry: { image: string; expected: string; found: string | undefined }): string {
  return entry.found === undefined
    ? `${entry.image} is gone`
    : `${entry.image} is now ${entry.found}, pushed was ${entry.expected}`;
}
