import type { Crypter } from "./passphrase";
import { referenceSignature, secretSignature, signatureKey } from "./marshal";
import { ResourceReference, Secret, Unknown, isMap, mapValues, type Value, type ValueMap } from "./value";

/** A resource as the state keeps it; the names are those of the real checkpoint file. */
export interface ResourceState {
  urn: string;
  type: string;
  custom: boolean;
  /** Empty for a component, and until the resource exists. */
  id: string;
  inputs: ValueMap;
  /** undefined until the provider, or a component's registerOutputs, has given some. */
  outputs: ValueMap | undefined;
  parent: string;
  provider: string;
  dependencies: string[];
  propertyDependencies: Record<string, string[]>;
  additionalSecretOutputs: string[];
  /** Why the resource exists but is not right (a partial failure). */
  initErrors: string[];
  protect: boolean;
  retainOnDelete: boolean;
  deletedWith: string;
  replaceWith: string[];
  replacementTrigger: Value;
  ignoreChanges: string[];
  replaceOnChanges: string[];
  hooks: Record<string, string[]>;
  aliases: string[];
  /** Read, not created: the program does not own it. */
  external: boolean;
  /** Already replaced by a newer one; to be deleted. */
  delete: boolean;
  /** Already deleted; its successor is still to be created. */
  pendingReplacement: boolean;
  created: string;
  modified: string;
}

export type PendingKind = "creating" | "updating" | "deleting" | "reading";

/** A step that had begun and of which no end is known. */
export interface PendingOperation {
  type: PendingKind;
  resource: ResourceState;
}

export interface Snapshot {
  resources: ResourceState[];
  pendingOperations: PendingOperation[];
}

export function newState(fields: Pick<ResourceState, "urn" | "type" | "custom"> & Partial<ResourceState>): ResourceState {
  return {
    id: "",
    inputs: {},
    outputs: undefined,
    parent: "",
    provider: "",
    dependencies: [],
    propertyDependencies: {},
    additionalSecretOutputs: [],
    initErrors: [],
    protect: false,
    retainOnDelete: false,
    deletedWith: "",
    replaceWith: [],
    replacementTrigger: null,
    ignoreChanges: [],
    replaceOnChanges: [],
    hooks: {},
    aliases: [],
    external: false,
    delete: false,
    pendingReplacement: false,
    created: "",
    modified: "",
    ...fields,
  };
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type StoredResource = { [key: string]: Json };

/** For the file: what is empty is left out, as in the real checkpoint. */
export function storeResource(state: ResourceState, crypter: Crypter): StoredResource {
  const stored: { [key: string]: Json | undefined } = {
    urn: state.urn,
    custom: state.custom,
    delete: state.delete || undefined,
    id: state.id || undefined,
    type: state.type,
    inputs: filled(storeMap(state.inputs, crypter)),
    outputs: filled(storeMap(state.outputs ?? {}, crypter)),
    parent: state.parent || undefined,
    protect: state.protect || undefined,
    external: state.external || undefined,
    dependencies: listed(state.dependencies),
    initErrors: listed(state.initErrors),
    provider: state.provider || undefined,
    propertyDependencies: filled(state.propertyDependencies),
    pendingReplacement: state.pendingReplacement || undefined,
    additionalSecretOutputs: listed(state.additionalSecretOutputs),
    aliases: listed(state.aliases),
    retainOnDelete: state.retainOnDelete || undefined,
    deletedWith: state.deletedWith || undefined,
    replaceWith: listed(state.replaceWith),
    replacementTrigger: state.replacementTrigger === null ? undefined : storeValue(state.replacementTrigger, crypter),
    ignoreChanges: listed(state.ignoreChanges),
    replaceOnChanges: listed(state.replaceOnChanges),
    resourceHooks: filled(state.hooks),
    created: state.created || undefined,
    modified: state.modified || undefined,
  };
  return stored as StoredResource;
}

export function loadResource(stored: StoredResource, crypter: Crypter): ResourceState {
  const text = (key: string) => (typeof stored[key] === "string" ? stored[key] : "");
  const texts = (key: string) => (Array.isArray(stored[key]) ? (stored[key] as string[]) : []);
  const map = (key: string) => (stored[key] === undefined ? undefined : (loadValue(stored[key], crypter) as ValueMap));
  const lists = (key: string) => (stored[key] ?? {}) as Record<string, string[]>;
  const custom = stored["custom"] === true;
  return newState({
    urn: text("urn"),
    type: text("type"),
    custom,
    id: text("id"),
    inputs: map("inputs") ?? {},
    // An empty map is left out of the file; a custom resource always has outputs.
    outputs: map("outputs") ?? {},
    parent: text("parent"),
    provider: text("provider"),
    dependencies: texts("dependencies"),
    propertyDependencies: lists("propertyDependencies"),
    additionalSecretOutputs: texts("additionalSecretOutputs"),
    initErrors: texts("initErrors"),
    protect: stored["protect"] === true,
    retainOnDelete: stored["retainOnDelete"] === true,
    deletedWith: text("deletedWith"),
    replaceWith: texts("replaceWith"),
    replacementTrigger: stored["replacementTrigger"] === undefined ? null : loadValue(stored["replacementTrigger"], crypter),
    ignoreChanges: texts("ignoreChanges"),
    replaceOnChanges: texts("replaceOnChanges"),
    hooks: lists("resourceHooks"),
    aliases: texts("aliases"),
    external: stored["external"] === true,
    delete: stored["delete"] === true,
    pendingReplacement: stored["pendingReplacement"] === true,
    created: text("created"),
    modified: text("modified"),
  });
}

function filled<T extends object>(map: T): T | undefined {
  return Object.keys(map).length === 0 ? undefined : map;
}

function listed(list: string[]): string[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** What is not known (an output that comes from a resource outside the targets) is left out. */
function storeMap(values: ValueMap, crypter: Crypter): { [key: string]: Json } {
  const known = Object.entries(values).filter(([, value]) => !(value instanceof Unknown));
  return mapToJson(Object.fromEntries(known), (value) => storeValue(value, crypter));
}

function storeValue(value: Value, crypter: Crypter): Json {
  if (value instanceof Secret) {
    return { [signatureKey]: secretSignature, ciphertext: crypter.encrypt(JSON.stringify(plain(value.element))) };
  }
  if (value instanceof Unknown) return null;
  if (value instanceof ResourceReference) return storeReference(value);
  if (Array.isArray(value)) return value.map((item) => storeValue(item, crypter));
  return isMap(value) ? storeMap(value, crypter) : value;
}

/** Inside a secret everything is encrypted at once, secrets within it too. */
function plain(value: Value): Json {
  if (value instanceof Secret) return plain(value.element);
  if (value instanceof Unknown) return null;
  if (value instanceof ResourceReference) return storeReference(value);
  if (Array.isArray(value)) return value.map(plain);
  return isMap(value) ? mapToJson(value, plain) : value;
}

function storeReference(reference: ResourceReference): Json {
  return {
    [signatureKey]: referenceSignature,
    urn: reference.urn,
    ...(typeof reference.id === "string" ? { id: reference.id } : {}),
    packageVersion: reference.packageVersion,
  };
}

function mapToJson(values: ValueMap, change: (value: Value) => Json): { [key: string]: Json } {
  const json: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(values)) json[key] = change(value);
  return json;
}

function loadValue(json: Json, crypter: Crypter): Value {
  if (json === null || typeof json !== "object") return json;
  if (Array.isArray(json)) return json.map((item) => loadValue(item, crypter));
  if (json[signatureKey] === secretSignature && typeof json["ciphertext"] === "string") {
    return new Secret(loadValue(JSON.parse(crypter.decrypt(json["ciphertext"])) as Json, crypter));
  }
  if (json[signatureKey] === referenceSignature) {
    return new ResourceReference(String(json["urn"]), typeof json["id"] === "string" ? json["id"] : undefined, String(json["packageVersion"] ?? ""));
  }
  return mapValues(json as ValueMap, (item) => loadValue(item as Json, crypter));
}
