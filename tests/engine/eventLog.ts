import { closeSync, openSync, writeSync } from "node:fs";
import { prefixOf } from "./diagnostics";
import type { EngineEvent, Listener } from "./events";
import { formatPropertyPath } from "./propertyPath";
import { secretSignature, signatureKey } from "./marshal";
import type { ResourceState } from "./state";
import { resourceOf, type Operation, type Step } from "./step";
import { ResourceReference, Secret, Unknown, isMap, mapValues, type Value, type ValueMap } from "./value";

/** Writes events as the real CLI's `--event-log` does: one JSON object a line, secrets masked. Only what a harness reads. */
export function eventLog(file: string): { listen: Listener; close(): void } {
  const out = openSync(file, "w", 0o600);
  let sequence = 0;
  const put = (body: object) => writeSync(out, `${JSON.stringify({ sequence: sequence++, timestamp: Math.floor(Date.now() / 1000), ...body })}\n`);
  return {
    listen: (event) => {
      const body = eventBody(event);
      if (body !== undefined) put(body);
    },
    close: () => {
      put({ cancelEvent: {} });
      closeSync(out);
    },
  };
}

function eventBody(event: EngineEvent): object | undefined {
  switch (event.kind) {
    case "prelude":
      return { preludeEvent: { config: event.config } };
    case "begin":
      return { resourcePreEvent: { metadata: metadata(event.step, event.step.op) } };
    case "done":
      return { resOutputsEvent: { metadata: metadata(event.step, event.op) } };
    case "failed":
      return { resOpFailedEvent: { metadata: metadata(event.step, event.step.op), status: { ok: 0, partial: 1, unknown: 2 }[event.status], steps: 0 } };
    case "diagnostic": {
      const { urn, severity, message, streamId, ephemeral } = event.diagnostic;
      return { diagnosticEvent: { urn: urn || undefined, prefix: prefixOf(severity), message, color: "never", severity, streamID: streamId || undefined, ephemeral: ephemeral || undefined } };
    }
    case "summary":
      return {
        summaryEvent: {
          maybeCorrupt: event.maybeCorrupt,
          durationSeconds: Math.ceil(event.seconds),
          resourceChanges: Object.fromEntries(event.changes),
          isPreview: event.preview,
          result: event.succeeded ? "succeeded" : "failed",
        },
      };
  }
}

function metadata(step: Step, op: Operation): object {
  return {
    op,
    urn: step.urn,
    type: resourceOf(step).type,
    old: resource(step.old),
    new: resource(step.fresh),
    keys: step.replaceKeys,
    diffs: step.changedKeys,
    detailedDiff:
      step.detailed === undefined
        ? null
        : Object.fromEntries(step.detailed.map(({ path, kind }) => [formatPropertyPath(path), { diffKind: kind, inputDiff: true }])),
    logical: step.logical,
    provider: resourceOf(step).provider,
  };
}

function resource(state: ResourceState | undefined): object | null {
  if (state === undefined) return null;
  const { type, urn, custom, id, parent, protect, retainOnDelete, initErrors, provider } = state;
  return { type, urn, custom, id, parent, protect, retainOnDelete, initErrors, inputs: masked(state.inputs), outputs: masked(state.outputs ?? {}), provider };
}

function masked(values: ValueMap): object {
  return mapValues(values, maskedValue);
}

function maskedValue(value: Value): Value {
  if (value instanceof Secret) return { [signatureKey]: secretSignature, ciphertext: "[secret]" };
  if (value instanceof Unknown) return "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
  if (value instanceof ResourceReference) return value.urn;
  if (Array.isArray(value)) return value.map(maskedValue);
  return isMap(value) ? mapValues(value, maskedValue) : value;
}
