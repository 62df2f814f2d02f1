import { createHash } from "node:crypto";

import type { OperationContext } from "../../model/context";
import { messageOf } from "../../model/errors";
import type { Checked, Difference, Operations, Refreshed } from "../../pulumi/boundary";
import { dynamicProvider, PartialFailure } from "../../pulumi/boundary";
import { holdsUnknown, isUnknown, sameValue } from "../../pulumi/plainValue";
import { Registry } from "../../registry/registry";
import { deletePushed } from "../../registry/sets/deletePushed";
import type { InspectedImage } from "../../registry/sets/inspect";
import { inspectImages } from "../../registry/sets/inspect";
import type { LostContents } from "../../registry/sets/lostContents";
import { lostContents } from "../../registry/sets/lostContents";
import type { ManifestsByRepository, RecordPlace } from "../../registry/sets/pushSetRecord";
import { deleteRecord, hasRecord, readRecord, recordTag } from "../../registry/sets/pushSetRecord";
import { keeperForDelete } from "./book";
import { comparedInputs, filters, isUpToDate, placeOf } from "./comparison";
import { pinDigests } from "./pin";
import { push } from "./push";
import { filterProblems, firstPushNotes, imageNotes } from "./review";
import { PushSetRun } from "./run";
import { sourcesOf } from "./sources";
import type { PushSetInputs, PushSetOutputs } from "./state";
import type { PushSetWire } from "./wire";

/** What Pulumi asks of a push set's resource. */
class PushSetOperations implements Operations<PushSetInputs, PushSetOutputs, PushSetWire> {
  private readonly run = new PushSetRun();

  async check(
    olds: Partial<PushSetInputs>,
    { missing, unread, packages, ...given }: PushSetWire,
  ): Promise<Checked<PushSetInputs>> {
    const { inputs: news, notes: pins } = pinDigests(olds, given, packages);
    this.run.remember({ ...news, unread });
    if (missing !== undefined && !isUnknown(missing)) {
      return withoutPackage(olds, news, missing);
    }
    const problems = filterProblems(news, this.run);
    const notes = problems.length === 0 && olds.fingerprint === undefined ? await firstPushNotes(news, this.run) : [];
    // The listing is for the eye only: a package that was not known when it was pushed must not look changed once it
    // is.
    if (!isUnknown(news.fingerprint) && olds.fingerprint === news.fingerprint) {
      const { contents: _ignored, ...rest } = news;
      const inputs = olds.contents === undefined ? rest : { ...rest, contents: olds.contents };
      return { inputs, problems, notes: pins };
    }
    return { inputs: news, problems, notes: [...pins, ...notes] };
  }

  async diff(olds: PushSetOutputs, news: PushSetInputs): Promise<Difference> {
    if (!isUnknown(news.registry.endpoint) && placeOf(olds.registry.endpoint) !== placeOf(news.registry.endpoint)) {
      return { changes: true, replaces: ["registry"] };
    }
    if (!holdsUnknown(news) && isUpToDate(olds, news) && sameValue(comparedInputs(olds), comparedInputs(news))) {
      return { changes: false };
    }
    return { changes: true, notes: isUpToDate(olds, news) ? [] : await imageNotes(olds, news, this.run) };
  }

  async create(inputs: PushSetInputs, context: OperationContext): Promise<{ id: string; outs: PushSetOutputs }> {
    const { outs, failure } = await push(inputs, undefined, context);
    const id = `images-${createHash("sha256").update(placeOf(inputs.registry.endpoint)).digest("hex").slice(0, 12)}`;
    if (failure !== undefined) {
      throw outs.images.length > 0 ? new PartialFailure(failure, outs, id) : failure;
    }
    return { id, outs };
  }

  async read(
    _id: string,
    outs: PushSetOutputs,
    context: OperationContext,
  ): Promise<Refreshed<PushSetInputs, PushSetOutputs>> {
    const registry = new Registry(outs.registry, context);
    try {
      const found = await inspectImages(registry, outs.images, outs.probe, context);
      const drift = found.filter((entry) => entry.found !== entry.expected).map(driftLine);
      if (outs.record !== undefined && !(await hasRecord(registry, outs.record))) {
        drift.push(`${outs.record.repository}: the record of what this push set has is gone`);
      }
      const lost = outs.check === "blobs" ? await this.lost(registry, outs, found, context) : [];
      drift.push(
        ...lost.map(({ image, digests }) => `${image}: its tag is there, and ${digests.join(", ")} of it gone`),
      );
      const damaged = lost.map(({ image }) => image);
      if (drift.length === 0) {
        return { outs: { ...outs, drift: undefined, damaged: undefined } as unknown as PushSetOutputs };
      }
      context.log.warn(`the registry no longer has what was pushed:\n${drift.map((line) => `  - ${line}`).join("\n")}`);
      // The endpoint stays: the program declares it beside the registry, for it to be an output.
      const { images: _images, probe: _probe, record: _record, damaged: _damaged, ...inputs } = outs;
      const { damaged: _before, ...kept } = outs;
      return { outs: { ...kept, drift, ...(damaged.length > 0 ? { damaged } : {}) }, inputs: { ...inputs, drift } };
    } catch (error) {
      // Not reaching the registry says nothing about what lies in it: the state stays as it is.
      context.log.warn(
        `${outs.registry.endpoint}: the registry could not be asked, the state is kept as it was: ${messageOf(error)}`,
      );
      return { outs };
    } finally {
      await registry.close();
    }
  }

  /** Of images whose tags are as they were left. */
  private async lost(
    registry: Registry,
    { images, record }: PushSetOutputs,
    found: readonly InspectedImage[],
    context: OperationContext,
  ): Promise<LostContents[]> {
    const intact = new Set(found.filter((one) => one.found === one.expected).map(({ image }) => image));
    const recorded = record === undefined ? undefined : await readRecord(registry, record);
    const here = images.filter(({ source }) => intact.has(source));
    return lostContents(registry, here, recorded?.manifests ?? nothingRecorded, context);
  }

  async update(
    id: string,
    olds: PushSetOutputs,
    news: PushSetInputs,
    context: OperationContext,
  ): Promise<PushSetOutputs> {
    if (isUpToDate(olds, news)) {
      // Credentials, CA, proxy or the path to the same package: nothing to do but to remember them.
      const { images, probe, record, fingerprint } = olds;
      return { ...news, fingerprint, endpoint: news.registry.endpoint, images, probe, record };
    }
    const { outs, failure } = await push(news, olds, context);
    if (failure !== undefined) {
      throw new PartialFailure(failure, outs, id);
    }
    return outs;
  }

  async delete(_id: string, outs: PushSetOutputs, context: OperationContext): Promise<void> {
    if (outs.deleteImages !== true && outs.record === undefined) {
      return;
    }
    const registry = new Registry(outs.registry, context);
    try {
      if (outs.deleteImages === true) {
        await deleteAll(registry, outs, context);
      }
      if (outs.record !== undefined) {
        await forgetRecord(registry, outs.record, context);
      }
    } finally {
      await registry.close();
    }
  }
}

const nothingRecorded: ManifestsByRepository = new Map();

export const imagePushSet = dynamicProvider(new PushSetOperations());

/** A package that was pushed and is not kept is no mistake as long as nothing is asked of it. */
function withoutPackage(olds: Partial<PushSetInputs>, inputs: PushSetInputs, missing: string): Checked<PushSetInputs> {
  const { fingerprint = "", contents, source } = olds;
  const pushed = fingerprint !== "" && source !== undefined && sameValue(sourcesOf(source), sourcesOf(inputs.source));
  const asked = sameValue(olds.requireSigned, inputs.requireSigned);
  if (!pushed || !asked || !sameValue(filters(olds), filters(inputs))) {
    return { inputs, problems: [{ code: "ARCHIVE_NOT_FOUND", text: missing }] };
  }
  return {
    inputs: { ...inputs, fingerprint, ...(contents === undefined ? {} : { contents }) },
    notes: [
      `${missing} It was pushed before, and what the state says of it is kept; whatever needs it again will fail.`,
    ],
  };
}

async function deleteAll(registry: Registry, outs: PushSetOutputs, context: OperationContext): Promise<void> {
  const known = await keeperForDelete(registry, outs, outs.record);
  if ("unknown" in known) {
    context.log.warn(
      `nothing was deleted from ${outs.endpoint}, because nobody can tell what other push sets there still name: ${known.unknown} ` +
        `Delete by hand what is not needed: ${outs.images.map((image) => image.target).join(", ")}`,
    );
    return;
  }
  const { deleted, left } = await deletePushed(registry, outs.images, outs.probe, known.keeper, context);
  const lines = [
    ...deleted.map((name) => `  - ${name}`),
    ...left.map(({ name, reason }) => `  ${name} stays: ${reason}`),
  ];
  if (lines.length > 0) {
    context.log.info(`${deleted.length} deleted from ${outs.endpoint}:\n${lines.join("\n")}`);
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

function driftLine(entry: { image: string; expected: string; found: string | undefined }): string {
  return entry.found === undefined
    ? `${entry.image} is gone`
    : `${entry.image} is now ${entry.found}, pushed was ${entry.expected}`;
}
