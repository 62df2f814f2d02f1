import { createHash } from "node:crypto";

import type { OperationContext } from "../../model/context";
import { MirrorError, textWithCode } from "../../model/errors";
import type { Checked, Difference, Operations, Refreshed } from "../../pulumi/boundary";
import { dynamicProvider, PartialFailure } from "../../pulumi/boundary";
import { holdsUnknown, isUnknown, sameValue } from "../../pulumi/plainValue";
import type { RegistryConnection } from "../../registry/connection";
import { cleanRegistry } from "./clean";
import { comparedInputs, compareRegistries, filters, isReplaced, isUpToDate } from "./comparison";
import { keptSource } from "./ignoredSource";
import { pinDigests } from "./pin";
import { pruneAlone } from "./prune";
import { PruneReview } from "./pruneReview";
import { push } from "./push";
import { refreshRegistry } from "./refresh";
import { connectionsOf, driftOf, placeOf, registriesOf, registryArgument, summaryOf } from "./registries";
import { orderNote, registryNotes } from "./registryNotes";
import { filterProblems, firstPushNotes, imageNotes } from "./review";
import { PushSetRun } from "./run";
import { sourcesOf } from "./sources";
import type { PushSetInputs, PushSetOutputs, RegistryState } from "./state";
import type { PushSetWire } from "./wire";

/** What Pulumi asks of a push set's resource. */
class PushSetOperations implements Operations<PushSetInputs, PushSetOutputs, PushSetWire> {
  private readonly run = new PushSetRun();

  async check(
    olds: Partial<PushSetInputs>,
    { missing, mark, unread, packages, pruneNodes, ...given }: PushSetWire,
  ): Promise<Checked<PushSetInputs>> {
    const kept = keptSource(olds, given, mark);
    const { inputs: news, notes: pins } =
      kept === undefined ? pinDigests(olds, given, packages) : { inputs: kept.inputs, notes: [kept.note] };
    this.run.remember({ ...news, unread });
    this.run.rememberNodes(urnOf(news), pruneNodes);
    if (kept === undefined && missing !== undefined && !isUnknown(missing)) {
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
    if (isReplaced(olds.registry, news.registry)) {
      return { changes: true, replaces: ["registry"] };
    }
    const prune = new PruneReview(olds, news, this.run.nodesOf(urnOf(news)));
    if (isUpToDate(olds, news)) {
      const { goes, lines, warnings } = await prune.ofSame();
      const isSame = !holdsUnknown(news) && sameValue(comparedInputs(olds), comparedInputs(news));
      return { changes: !isSame || goes > 0, notes: [...orderNote(olds, news), ...lines], warnings };
    }
    return {
      changes: true,
      notes: [...registryNotes(olds, news), ...(await imageNotes(olds, news, this.run))],
      review: async () => {
        const { lines, warnings } = await prune.ofChange(this.run);
        return { notes: lines, warnings };
      },
    };
  }

  async create(inputs: PushSetInputs, context: OperationContext): Promise<{ id: string; outs: PushSetOutputs }> {
    const { outs, failure } = await push(inputs, undefined, context, this.run.nodesOf(context.urn));
    const places = connectionsOf(inputs.registry).map(({ endpoint }) => placeOf(endpoint));
    const id = `images-${createHash("sha256").update(places.join("\n")).digest("hex").slice(0, 12)}`;
    if (failure !== undefined) {
      const isSomewhere = registriesOf(outs).some(
        ({ images, fingerprint }) => images.length > 0 || Boolean(fingerprint),
      );
      throw isSomewhere ? new PartialFailure(failure, outs, id) : failure;
    }
    return { id, outs };
  }

  async read(
    _id: string,
    outs: PushSetOutputs,
    context: OperationContext,
  ): Promise<Refreshed<PushSetInputs, PushSetOutputs>> {
    const connections = connectionsOf(outs.registry);
    const states = await Promise.all(
      registriesOf(outs).map((state, at) =>
        refreshRegistry(
          { connection: connections[at] as RegistryConnection, argument: registryArgument(outs.registry, at) },
          state,
          outs.check,
          context,
        ),
      ),
    );
    const { drift: _drift, damaged: _damaged, ...rest } = outs;
    const drift = driftOf(outs.registry, states);
    const found = { ...rest, ...summaryOf(outs.registry, states), fingerprint: outs.fingerprint } as PushSetOutputs;
    if (drift === undefined) {
      return { outs: found };
    }
    context.log.warn(`the registry no longer has what was pushed:\n${drift.map((line) => `  - ${line}`).join("\n")}`);
    // The endpoint stays: the program declares it beside the registry, for it to be an output.
    const {
      images: _images,
      probe: _probe,
      record: _record,
      former: _former,
      registries: _registries,
      dropped: _dropped,
      ...inputs
    } = rest;
    return { outs: { ...found, drift }, inputs: { ...inputs, drift } };
  }

  async update(
    id: string,
    olds: PushSetOutputs,
    news: PushSetInputs,
    context: OperationContext,
  ): Promise<PushSetOutputs> {
    if (isUpToDate(olds, news)) {
      // Credentials, CA, proxy or the path to the same package: nothing to do but to remember them.
      const nodes = this.run.nodesOf(context.urn);
      const states = await Promise.all(
        compareRegistries(olds, news).entries.map(async (entry) => {
          const { connection, before } = entry;
          const { former: _former, record: _record, ...state } = before as RegistryState;
          const past = await pruneAlone(entry, before as RegistryState, news, nodes, context);
          return { ...state, ...past, endpoint: connection.endpoint };
        }),
      );
      return { ...news, ...summaryOf(news.registry, states) };
    }
    const { outs, failure } = await push(news, olds, context, this.run.nodesOf(context.urn));
    if (failure !== undefined) {
      throw new PartialFailure(failure, outs, id);
    }
    return outs;
  }

  async delete(_id: string, outs: PushSetOutputs, context: OperationContext): Promise<void> {
    const { entries, dropped } = compareRegistries(outs, outs);
    const failures: Error[] = [];
    for (const { connection, before } of [...entries, ...dropped]) {
      try {
        await cleanRegistry(connection, before as RegistryState, outs, this.run.nodesOf(context.urn), context);
      } catch (error) {
        context.signal.throwIfAborted();
        failures.push(error as Error);
      }
    }
    throwAll(failures);
  }
}

function urnOf(properties: object): string | undefined {
  return (properties as { resourceUrn?: string }).resourceUrn;
}

/** Each registry's own, after all have been tried. */
function throwAll(failures: readonly Error[]): void {
  const [first] = failures;
  if (failures.length > 1) {
    const reasons = failures.flatMap((one) => [textWithCode(one), ...(one instanceof MirrorError ? one.reasons : [])]);
    throw new MirrorError("DELETE_INCOMPLETE", `${failures.length} registries could not be cleaned.`, { reasons });
  }
  if (first !== undefined) {
    throw first;
  }
}

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
