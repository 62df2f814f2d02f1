import type { OperationContext } from "../context";
import type { Digest } from "../oci/digest";
import { repositoryBelow } from "./endpoint";
import type { PlannedImage } from "./pushPlan";
import type { Probe, PushedImage, PushResult } from "./pushResult";
import type { Registry } from "./registry";
import { RegistryError } from "./registryError";
import { targetOf } from "./target";

/**
 * Deletes pushed images and the probe from the registry. A tag that has been moved or removed since then is left alone: what it
 * points at now is not ours, and deleting a digest takes along every other tag that somebody gave it.
 *
 * @throws RegistryError `DELETE_INCOMPLETE` with each failure among its reasons, after everything has been tried
 */
export async function deletePushed(registry: Registry, images: readonly PushedImage[], probe: Probe | undefined, context: OperationContext): Promise<void> {
  const targets = new Map<string, { repository: string; reference: string; digest: Digest; name: string }>();
  for (const image of images) {
    const { repository, reference } = targetOf(registry.endpoint, image.source);
    targets.set(`${repository}@${image.digest}`, { repository, reference, digest: image.digest, name: image.source });
  }
  if (probe !== undefined) {
    const repository = repositoryBelow(registry.endpoint, probe.repository);
    targets.set(`${repository}@${probe.digest}`, { repository, reference: probe.tag, digest: probe.digest, name: `${probe.repository}:${probe.tag}` });
  }
  const reasons: string[] = [];
  let done = 0;
  await Promise.all(
    [...targets.values()].map(async ({ repository, reference, digest, name }) => {
      try {
        const now = await registry.headManifest(repository, reference);
        if (now === undefined) {
          return;
        }
        if (now.digest !== digest) {
          context.log.warn(`${name} points at ${now.digest} by now; left in the registry`);
          return;
        }
        await registry.deleteManifest(repository, digest);
        context.log.progress(`deleted ${++done} of ${targets.size}`);
      } catch (error) {
        context.signal.throwIfAborted();
        reasons.push(`${name}: ${(error as Error).message}`);
      }
    }),
  );
  if (reasons.length > 0) {
    throw new RegistryError("DELETE_INCOMPLETE", `${reasons.length} of ${targets.size} images could not be deleted from ${registry.endpoint.authority}: ${reasons[0] as string}`, { reasons });
  }
}

/**
 * Deletes what an earlier push brought and the package, with its filters, no longer names. A manifest that a kept image of the same
 * repository still uses stays: deleting a digest takes all its tags along.
 *
 * @returns what could not be deleted
 */
export async function deleteDropped(
  registry: Registry,
  previous: readonly PushedImage[],
  result: PushResult,
  kept: readonly PlannedImage[],
): Promise<PushResult["failures"]> {
  const keptNames = new Set(kept.map((planned) => planned.target.name));
  for (const { source } of result.failures) {
    // Named by the package, and not there in its new form: the old one is all that the mirror has.
    keptNames.add(targetOf(registry.endpoint, source).name);
  }
  const used = new Set<string>();
  for (const planned of kept) {
    for (const manifest of [...planned.below, planned.root, ...planned.referrers]) {
      used.add(`${planned.target.repository}@${manifest.digest}`);
    }
  }
  for (const image of result.images) {
    used.add(`${targetOf(registry.endpoint, image.source).repository}@${image.digest}`);
  }
  const failures: PushResult["failures"] = [];
  await Promise.all(
    previous.map(async (image) => {
      const target = targetOf(registry.endpoint, image.source);
      if (keptNames.has(target.name) || used.has(`${target.repository}@${image.digest}`)) {
        return;
      }
      try {
        const now = await registry.headManifest(target.repository, target.reference);
        if (now?.digest === image.digest) {
          await registry.deleteManifest(target.repository, image.digest);
        }
      } catch (error) {
        registry.context.signal.throwIfAborted();
        failures.push({ source: image.source, error: error as Error });
      }
    }),
  );
  return failures;
}
