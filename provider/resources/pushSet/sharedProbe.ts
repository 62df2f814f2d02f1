import type { OperationContext } from "../../model/context";
import { messageOf } from "../../model/errors";
import type { Probe } from "../../registry/push/pushResult";
import { Registry } from "../../registry/registry";
import { inspectImages } from "../../registry/sets/inspect";
import type { ProbeContent } from "../../registry/sets/probe";
import { newProbeContent, pushProbe, readProbe } from "../../registry/sets/probe";
import type { RegistryEntry } from "./comparison";
import type { Delivery } from "./delivery";

/**
 * Gives each delivery its probe: one that is in place stays. All registries of a push set have the same one, so that a
 * node that asks several of them is proven by any: a registry that lacks it gets a copy, made of what another one has.
 *
 * @param entries All registries of the push set, also those that nothing is delivered to.
 */
export async function bringProbe(
  entries: readonly RegistryEntry[],
  deliveries: readonly Delivery[],
  repository: string,
  context: OperationContext,
): Promise<void> {
  const shared = entries.flatMap(({ before }) => (before?.probe?.repository === repository ? [before.probe] : []))[0];
  const lacking: Delivery[] = [];
  await Promise.all(
    deliveries.map((delivery) =>
      delivery.attempt(async () => {
        if (shared !== undefined && (await hasProbe(delivery.registry, shared, context))) {
          delivery.probe = shared;
        } else {
          lacking.push(delivery);
        }
      }),
    ),
  );
  if (lacking.length > 0) {
    const content =
      (shared === undefined ? undefined : await readFromAny(entries, deliveries, shared, context)) ?? newProbeContent();
    await Promise.all(
      lacking.map((delivery) =>
        delivery.attempt(async () => {
          delivery.probe = await pushProbe(delivery.registry, repository, context, content);
        }),
      ),
    );
  }
}

async function hasProbe(registry: Registry, probe: Probe, context: OperationContext): Promise<boolean> {
  const [found] = await inspectImages(registry, [], probe, context);
  return found?.found === probe.digest;
}

/** Of the registries that the state says have it. */
async function readFromAny(
  entries: readonly RegistryEntry[],
  deliveries: readonly Delivery[],
  probe: Probe,
  context: OperationContext,
): Promise<ProbeContent | undefined> {
  for (const entry of entries) {
    const opened = deliveries.find((delivery) => delivery.entry === entry);
    if (entry.before?.probe?.digest !== probe.digest || opened?.failure !== undefined) {
      continue;
    }
    const registry = opened?.registry ?? new Registry(entry.connection, context, { argument: entry.argument });
    try {
      const content = await readProbe(registry, probe);
      if (content !== undefined) {
        return content;
      }
    } catch (error) {
      context.signal.throwIfAborted();
      context.log.warn(
        `the probe of this push set could not be read from ${entry.connection.endpoint}, so that other registries get a new one, until the next pulumi up can read it: ${messageOf(error)}`,
      );
    } finally {
      if (opened === undefined) {
        await registry.close();
      }
    }
  }
  return undefined;
}
