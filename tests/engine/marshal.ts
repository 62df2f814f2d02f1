import { Struct } from "./protobuf";
import { ResourceReference, Secret, Unknown, unknown, type Value, type ValueMap, isMap } from "./value";

/**
 * Values as they travel in the engine's protocol: a protobuf Struct in which secrets, unknowns and references are
 * marked by well-known strings. The strings are part of Pulumi's protocol (sdk/proto, and runtime/rpc of the SDK).
 */
export const signatureKey = "4dabf18193072939515e22adb298388d";
export const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
export const referenceSignature = "5cf8f73096256a8f31e491e813e4eb8e";
const outputSignature = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const assetSignature = "c44067f5952c0a294b673a41bacd8c17";
const archiveSignature = "0def7320c3a5731c473e5ecbe6d01bc7";
const unknownText = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What the other side of a call understands. */
export interface Understanding {
  /** false: secrets travel plain, references as the id (the dynamic provider says so in its configure response). */
  secrets: boolean;
  /** "keep" in a preview; "drop" leaves such properties out; "refuse" is an error. */
  unknowns: "keep" | "drop" | "refuse";
}

/** Reads the properties of a call. @param label names the call in an error. */
export function fromStruct(struct: Struct | undefined, label: string, unknowns: "keep" | "refuse"): ValueMap {
  const values: ValueMap = {};
  if (struct === undefined) return values;
  for (const [key, json] of Object.entries(struct.toJavaScript() as Record<string, Json>)) {
    values[key] = fromJson(json, `${label}.${key}`, unknowns);
  }
  return values;
}

export function fromJson(json: Json, label: string, unknowns: "keep" | "refuse"): Value {
  if (json === unknownText) {
    if (unknowns === "refuse") throw new Error(`unexpected unknown property value for ${JSON.stringify(label)}`);
    return unknown;
  }
  if (json === null || typeof json !== "object") return json;
  if (Array.isArray(json)) return json.map((item, index) => fromJson(item, `${label}[${index}]`, unknowns));
  switch (json[signatureKey]) {
    case undefined: {
      const values: ValueMap = {};
      for (const [key, item] of Object.entries(json)) values[key] = fromJson(item, `${label}.${key}`, unknowns);
      return values;
    }
    case secretSignature:
      if (json["value"] === undefined) throw new Error(`malformed secret in ${label}: it has no value`);
      return new Secret(fromJson(json["value"], label, unknowns));
    case outputSignature: {
      const element = json["value"] === undefined ? unknown : fromJson(json["value"], label, unknowns);
      return json["secret"] === true ? new Secret(element) : element;
    }
    case referenceSignature: {
      const id = json["id"];
      return new ResourceReference(
        String(json["urn"]),
        id === unknownText || id === "" ? unknown : typeof id === "string" ? id : undefined,
        typeof json["packageVersion"] === "string" ? json["packageVersion"] : "",
      );
    }
    case assetSignature:
    case archiveSignature:
      throw new Error(`${label} is an asset or archive: the test engine does not carry those`);
    default:
      throw new Error(`unrecognized signature ${JSON.stringify(json[signatureKey])} in ${label}`);
  }
}

export function toStruct(values: ValueMap, to: Understanding): Struct {
  return Struct.fromJavaScript(toJsonMap(values, to) as Parameters<typeof Struct.fromJavaScript>[0]);
}

function toJsonMap(values: ValueMap, to: Understanding): { [key: string]: Json } {
  const json: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(values)) {
    const item = toJson(value, to);
    if (item !== undefined) json[key] = item;
  }
  return json;
}

function toJson(value: Value, to: Understanding): Json | undefined {
  if (value instanceof Secret) {
    const element = toJson(value.element, to);
    return to.secrets && element !== undefined ? { [signatureKey]: secretSignature, value: element } : element;
  }
  if (value instanceof Unknown) {
    if (to.unknowns === "refuse") throw new Error("an unknown value cannot leave the engine outside a preview");
    return to.unknowns === "keep" ? unknownText : undefined;
  }
  if (value instanceof ResourceReference) return referenceToJson(value, to);
  // A list keeps its length: an element that cannot travel becomes null.
  if (Array.isArray(value)) return value.map((item) => toJson(item, to) ?? null);
  return isMap(value) ? toJsonMap(value, to) : value;
}

function referenceToJson(reference: ResourceReference, to: Understanding): Json | undefined {
  const id = reference.id instanceof Unknown ? unknownText : reference.id;
  if (to.secrets) {
    return {
      [signatureKey]: referenceSignature,
      urn: reference.urn,
      ...(id === undefined ? {} : { id }),
      packageVersion: reference.packageVersion,
    };
  }
  return id === undefined ? reference.urn : id;
}
