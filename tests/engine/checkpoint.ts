import type { Crypter } from "./passphrase";

/** A resource as the checkpoint file has it; secrets are plain values here. */
export interface ResourceState {
  urn: string;
  type: string;
  id?: string;
  custom: boolean;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
  parent?: string;
  dependencies?: string[];
  initErrors?: string[];
  protect?: boolean;
  /** Where the program declares it: `project:///FILE#LINE,COLUMN`. */
  sourcePosition?: string;
  /** Already replaced by a newer one; to be deleted. */
  delete?: boolean;
}

/** A step that had begun and of which no end is known. */
interface PendingOperation {
  type: "creating" | "updating" | "deleting" | "reading";
  resource: ResourceState;
}

export interface Snapshot {
  resources: ResourceState[];
  pendingOperations: PendingOperation[];
}

interface Checkpoint {
  checkpoint: {
    latest?: { resources?: ResourceState[] | null; pending_operations?: PendingOperation[] | null } | null;
  };
}

/** What marks a secret in a checkpoint, and with which value (the engine's own signature keys). */
const signatureKey = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";

/** The checkpoint file of a stack without resources. `name`: `organization/PROJECT/STACK`. */
export function emptyCheckpoint(name: string, salt: string): string {
  const manifest = { time: new Date().toISOString(), magic: "", version: "" };
  const latest = { manifest, secrets_providers: { type: "passphrase", state: { salt } } };
  return JSON.stringify({ version: 3, checkpoint: { stack: name, latest } });
}

/** Reads a checkpoint file of the file backend. */
export function readCheckpoint(text: string, crypter: Crypter): Snapshot {
  const { latest } = (JSON.parse(text) as Checkpoint).checkpoint;
  const { resources, pending_operations: pending } = revealed({ ...latest }, crypter) as NonNullable<
    Checkpoint["checkpoint"]["latest"]
  >;
  return { resources: resources ?? [], pendingOperations: pending ?? [] };
}

/** The outputs of the stack itself. */
export function stackOutputs({ resources }: Snapshot): Record<string, unknown> {
  return resources.find(({ type, delete: old }) => type === "pulumi:pulumi:Stack" && old !== true)?.outputs ?? {};
}

function revealed(value: unknown, crypter: Crypter): unknown {
  if (Array.isArray(value)) {
    return value.map((item) => revealed(item, crypter));
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  const { [signatureKey]: signature, ciphertext } = value as Record<string, unknown>;
  if (signature === secretSignature && typeof ciphertext === "string") {
    return revealed(JSON.parse(crypter.decrypt(ciphertext)), crypter);
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revealed(item, crypter)]));
}
