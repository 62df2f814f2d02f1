import type { Snapshot } from "./state";
import { isRootStack } from "./urn";
import { ResourceReference, Secret, Unknown, isMap, mapValues, mapWithoutSecrets, withoutSecrets, type Value, type ValueMap } from "./value";

/** `stack output`: all of them, or one; secrets masked unless asked for. */
export function stackOutputs(snapshot: Snapshot, name: string | undefined, options: { json: boolean; showSecrets: boolean }): string {
  const stack = snapshot.resources.find((state) => isRootStack(state.urn) && !state.delete);
  const outputs = mapValues(stack?.outputs ?? {}, (value) => (options.showSecrets ? withoutSecrets(value) : masked(value)));
  if (name !== undefined) {
    const value = outputs[name];
    if (value === undefined) throw new Error(`current stack does not have output property '${name}'`);
    return options.json || typeof value !== "string" ? `${json(value)}\n` : `${value}\n`;
  }
  if (options.json) return `${json(outputs)}\n`;
  const keys = Object.keys(outputs).sort();
  if (keys.length === 0) return "No output values currently in this stack\n";
  const width = Math.max("OUTPUT".length, ...keys.map((key) => key.length));
  const line = (key: string, value: string) => `    ${key.padEnd(width)}  ${value}\n`;
  return `Current stack outputs (${keys.length}):\n${line("OUTPUT", "VALUE")}${keys.map((key) => line(key, plain(outputs[key] ?? null))).join("")}`;
}

/** Outputs as JSON, secrets in plain. */
export function plainOutputs(outputs: ValueMap): Record<string, unknown> {
  return jsonValue(mapWithoutSecrets(outputs)) as Record<string, unknown>;
}

function masked(value: Value): Value {
  if (value instanceof Secret) return "[secret]";
  if (Array.isArray(value)) return value.map(masked);
  return isMap(value) ? mapValues(value, masked) : value;
}

function plain(value: Value): string {
  return typeof value === "string" ? value : JSON.stringify(jsonValue(value));
}

function json(value: Value): string {
  return JSON.stringify(jsonValue(value), undefined, 2);
}

function jsonValue(value: Value): unknown {
  if (value instanceof ResourceReference) return value.urn;
  if (value instanceof Unknown) return null;
  if (Array.isArray(value)) return value.map(jsonValue);
  if (!isMap(value)) return value;
  const sorted: ValueMap = {};
  for (const key of Object.keys(value).sort()) sorted[key] = jsonValue(value[key] ?? null) as Value;
  return sorted;
}
