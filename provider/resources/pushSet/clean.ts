import type { OperationContext } from "../../model/context";
import { messageOf } from "../../model/errors";
import type { NodeConnection } from "../../node";
import type { RegistryConnection } from "../../registry/connection";
import { Registry } from "../../registry/registry";
import type { Keeper } from "../../registry/sets/deletePushed";
import { deletePushed, keeperOf } from "../../registry/sets/deletePushed";
import type { RecordPlace } from "../../registry/sets/pushSetRecord";
import { deleteRecord, recordTag } from "../../registry/sets/pushSetRecord";
import type { RecordWanted } from "./book";
import { othersForDelete } from "./book";
import { deleteFormer, heldOrWarning, nothingHeld } from "./prune";
import { heldText } from "./pruneText";
import type { RegistryState } from "./state";

/**
 * Takes a push set's things out of one registry: images and probe with `deleteImages`, and the record in any case.
 *
 * @param nodes What they have stays, with a `prune` that has nodes. Known where a program runs; a destroy knows of none.
 * @throws RegistryError `DELETE_INCOMPLETE`, and for a registry that cannot be asked what others name
 */
export async function cleanRegistry(
  connection: RegistryConnection,
  state: RegistryState,
  wanted: RecordWanted,
  nodes: readonly NodeConnection[] | undefined,
  context: OperationContext,
): Promise<void> {
  if (wanted.deleteImages !== true && state.record === undefined) {
    return;
  }
  const registry = new Registry(connection, context);
  try {
    if (wanted.deleteImages === true) {
      await deleteAll(registry, state, wanted, nodes, context);
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
  state: RegistryState,
  wanted: RecordWanted,
  nodes: readonly NodeConnection[] | undefined,
  context: OperationContext,
): Promise<void> {
  const { endpoint, images, probe, record } = state;
  const known = await othersForDelete(registry, wanted, record);
  if ("unknown" in known) {
    context.log.warn(
      `nothing was deleted from ${endpoint}, because nobody can tell what other push sets there still name: ${known.unknown} ` +
        `Delete by hand what is not needed: ${images.map((image) => image.target).join(", ")}`,
    );
    return;
  }
  const held = nodes === undefined ? nothingHeld : await heldOrWarning(registry, wanted.prune, nodes, context);
  if (held === undefined) {
    return;
  }
  await deleteFormer(registry, state, { others: known.others, held }, context);
  const keptByOthers = keeperOf(known.others);
  const keeper: Keeper = (repository, digest) => {
    const holders = held.digests.get(digest);
    return holders === undefined ? keptByOthers(repository, digest) : heldText(holders);
  };
  const { deleted, left } = await deletePushed(registry, images, probe, keeper, context);
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
