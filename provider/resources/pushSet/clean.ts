import type { OperationContext } from "../../model/context";
import { messageOf } from "../../model/errors";
import type { RegistryConnection } from "../../registry/connection";
import { Registry } from "../../registry/registry";
import { deletePushed } from "../../registry/sets/deletePushed";
import type { RecordPlace } from "../../registry/sets/pushSetRecord";
import { deleteRecord, recordTag } from "../../registry/sets/pushSetRecord";
import type { RecordWanted } from "./book";
import { keeperForDelete } from "./book";
import type { RegistryState } from "./state";

/**
 * Takes a push set's things out of one registry: images and probe with `deleteImages`, and the record in any case.
 *
 * @throws RegistryError `DELETE_INCOMPLETE`, and for a registry that cannot be asked what others name
 */
export async function cleanRegistry(
  connection: RegistryConnection,
  state: RegistryState,
  wanted: RecordWanted,
  context: OperationContext,
): Promise<void> {
  if (wanted.deleteImages !== true && state.record === undefined) {
    return;
  }
  const registry = new Registry(connection, context);
  try {
    if (wanted.deleteImages === true) {
      await deleteAll(registry, state, wanted, context);
    }
    if (state.record !== undefined) {
      await forgetRecord(registry, state.record, context);
    }
  } finally {
    await registry.close();
  }
}

async function deleteAll(
  registry: Registry,
  { endpoint, images, probe, record }: RegistryState,
  wanted: RecordWanted,
  context: OperationContext,
): Promise<void> {
  const known = await keeperForDelete(registry, wanted, record);
  if ("unknown" in known) {
    context.log.warn(
      `nothing was deleted from ${endpoint}, because nobody can tell what other push sets there still name: ${known.unknown} ` +
        `Delete by hand what is not needed: ${images.map((image) => image.target).join(", ")}`,
    );
    return;
  }
  const { deleted, left } = await deletePushed(registry, images, probe, known.keeper, context);
  const lines = [
    ...deleted.map((name) => `  - ${name}`),
    ...left.map(({ name, reason }) => `  ${name} stays: ${reason}`),
  ];
  if (lines.length > 0) {
    context.log.info(`${deleted.length} deleted from ${endpoint}:\n${lines.join("\n")}`);
  }
}

/**
 * A record that stays spares images from other push sets' deletes, no more; so it is no reason for a delete to fail.
 */
async function forgetRecord(registry: Registry, record: RecordPlace, context: OperationContext): Promise<void> {
  try {
    await registry.ping();
    await deleteRecord(registry, record);
  } catch (error) {
    context.log.info(
      `the record of this push set stays in the registry, as ${record.repository}:${recordTag(record)}: ${messageOf(error)}`,
    );
  }
}
