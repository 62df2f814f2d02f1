import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Crypter } from "./passphrase";
import { checkIntegrity, resolveAliases } from "./integrity";
import { sameMap, sameValue } from "./value";
import { loadResource, storeResource, type PendingKind, type PendingOperation, type ResourceState, type Snapshot, type StoredResource } from "./state";

/**
 * Where a running update notes what it does.
 *
 * The checkpoint file is the real CLI's (version 3). While an update runs, each step appends one line to a journal beside
 * it, and only the end rewrites the file: so a step costs its own size and not the whole state's, and a killed engine
 * loses nothing: the next one plays the journal back, with the steps that had begun but not ended as pending operations.
 */
export class SnapshotStore {
  private readonly slots = new Map<ResourceState, Slot>();
  private readonly operations = new Map<number, PendingOperation>();
  private nextSlot = 0;
  private nextOperation = 0;
  private journal: number | undefined;
  /** Kept from before: only a person can tell whether an interrupted create has left something behind. */
  private pendingCreates: PendingOperation[] = [];
  readonly base: Snapshot;

  private constructor(
    private readonly file: string,
    private readonly stack: string,
    private readonly crypter: Crypter,
    base: Snapshot,
    /** Ties a journal to the file it continues. */
    private generation: string,
  ) {
    this.base = base;
    for (const state of base.resources) this.slots.set(state, { number: this.nextSlot++, fresh: false });
    this.pendingCreates = base.pendingOperations.filter((operation) => operation.type === "creating");
  }

  /** @param stack as `organization/PROJECT/STACK`. */
  static open(file: string, stack: string, crypter: Crypter): SnapshotStore {
    const stored = readCheckpoint(file);
    const base = playJournal(stored, `${file}.journal`);
    const snapshot: Snapshot = {
      resources: base.resources.map((resource) => loadResource(resource, crypter)),
      pendingOperations: base.operations.map(({ type, resource }) => ({ type, resource: loadResource(resource, crypter) })),
    };
    resolveAliases(snapshot.resources);
    checkIntegrity(snapshot.resources);
    const store = new SnapshotStore(file, stack, crypter, snapshot, stored.generation);
    // What a killed engine left is made the new base at once, so that its journal is never played twice.
    return existsSync(`${file}.journal`) ? store.rebased() : store;
  }

  private rebased(): SnapshotStore {
    this.write([...this.base.pendingOperations]);
    return SnapshotStore.open(this.file, this.stack, this.crypter);
  }

  clearPendingCreates(): void {
    this.pendingCreates = [];
  }

  begin(type: PendingKind, resource: ResourceState): number {
    const number = this.nextOperation++;
    this.operations.set(number, { type, resource });
    this.note({ begin: number, type, resource: storeResource(resource, this.crypter) });
    return number;
  }

  end(operation: number): void {
    this.operations.delete(operation);
    this.note({ end: operation });
  }

  /** Adds a resource after those added before it, or notes that one already kept has changed. */
  put(state: ResourceState): void {
    let slot = this.slots.get(state);
    if (slot === undefined) this.slots.set(state, (slot = { number: this.nextSlot++, fresh: true }));
    this.note({ slot: slot.number, fresh: slot.fresh, resource: storeResource(state, this.crypter) });
  }

  /** The same resource under a new registration: noted in full only when something about it changed. */
  succeed(old: ResourceState, fresh: ResourceState): void {
    const slot = this.slots.get(old);
    if (slot === undefined || !sameResource(old, fresh)) {
      this.put(fresh);
      this.remove(old);
      return;
    }
    const next = { number: this.nextSlot++, fresh: true };
    this.slots.delete(old);
    this.slots.set(fresh, next);
    this.note({ move: slot.number, slot: next.number });
  }

  /** A refreshed resource takes the old one's place. */
  exchange(old: ResourceState, fresh: ResourceState): void {
    const slot = this.slots.get(old);
    if (slot === undefined) throw new Error(`${old.urn} is not in the snapshot`);
    // A Map keeps the order of first insertion, so the whole map is rebuilt by `resources`, by slot number.
    this.slots.delete(old);
    this.slots.set(fresh, slot);
    this.note({ slot: slot.number, fresh: slot.fresh, resource: storeResource(fresh, this.crypter) });
  }

  remove(state: ResourceState): void {
    const slot = this.slots.get(state);
    if (slot === undefined) return;
    this.slots.delete(state);
    this.note({ drop: slot.number });
  }

  has(state: ResourceState): boolean {
    return this.slots.has(state);
  }

  /** Those of this update first, in the order they were done, then what is left of before. */
  resources(): ResourceState[] {
    return [...this.slots]
      .sort(([, a], [, b]) => Number(b.fresh) - Number(a.fresh) || a.number - b.number)
      .map(([state]) => state);
  }

  /** Writes the checkpoint file and ends the journal. */
  save(): void {
    resolveAliases(this.resources());
    checkIntegrity(this.resources());
    this.write([...this.operations.values(), ...this.pendingCreates]);
  }

  private write(operations: PendingOperation[]): void {
    const resources = this.resources().map((state) => JSON.stringify(storeResource(state, this.crypter)));
    const pending = operations.map(({ type, resource }) => JSON.stringify({ resource: storeResource(resource, this.crypter), type }));
    const time = new Date().toISOString();
    const generation = randomUUID();
    const text =
      `{"version":3,"checkpoint":{"stack":${JSON.stringify(this.stack)},"latest":{` +
      `"manifest":{"time":${JSON.stringify(time)},"magic":"","version":""},\n` +
      `"secrets_providers":{"type":"passphrase","state":{"salt":${JSON.stringify(this.crypter.salt)}}},\n` +
      `"resources":[\n${resources.join(",\n")}\n],\n` +
      (pending.length === 0 ? "" : `"pending_operations":[\n${pending.join(",\n")}\n],\n`) +
      `"metadata":{"generation":${JSON.stringify(generation)}}}}}\n`;
    mkdirSync(dirname(this.file), { recursive: true });
    const next = openSync(`${this.file}.next`, "w", 0o600);
    writeSync(next, text);
    fsyncSync(next);
    closeSync(next);
    renameSync(`${this.file}.next`, this.file);
    this.close();
    rmSync(`${this.file}.journal`, { force: true });
    // What comes after continues this file, so it counts from here.
    this.generation = generation;
    const kept = this.resources();
    this.slots.clear();
    this.nextSlot = 0;
    for (const state of kept) this.slots.set(state, { number: this.nextSlot++, fresh: false });
  }

  /** Lets go of the journal as it stands: what had begun stays pending. */
  close(): void {
    if (this.journal !== undefined) closeSync(this.journal);
    this.journal = undefined;
  }

  private note(line: JournalLine): void {
    if (this.journal === undefined) {
      mkdirSync(dirname(this.file), { recursive: true });
      this.journal = openSync(`${this.file}.journal`, "w", 0o600);
      writeSync(this.journal, `${JSON.stringify({ generation: this.generation })}\n`);
    }
    writeSync(this.journal, `${JSON.stringify(line)}\n`);
  }
}

function sameResource(old: ResourceState, fresh: ResourceState): boolean {
  const { inputs: oldInputs, outputs: oldOutputs, replacementTrigger: oldTrigger, ...oldRest } = old;
  const { inputs, outputs, replacementTrigger, ...rest } = fresh;
  return (
    sameMap(oldInputs, inputs) &&
    (oldOutputs === outputs || sameMap(oldOutputs ?? {}, outputs ?? {})) &&
    sameValue(oldTrigger, replacementTrigger) &&
    isDeepStrictEqual(oldRest, rest)
  );
}

interface Slot {
  number: number;
  /** Put there by this update. */
  fresh: boolean;
}

type JournalLine =
  | { begin: number; type: PendingKind; resource: StoredResource }
  | { end: number }
  | { slot: number; fresh: boolean; resource: StoredResource }
  | { move: number; slot: number }
  | { drop: number };

interface StoredOperation {
  type: PendingKind;
  resource: StoredResource;
}

interface StoredCheckpoint {
  generation: string;
  resources: StoredResource[];
  operations: StoredOperation[];
}

/** The deployment inside a checkpoint file, and the stack's name. @returns undefined when the stack does not exist. */
export function readDeployment(file: string): { stack: string; latest: Record<string, unknown> | undefined } | undefined {
  if (!existsSync(file)) return undefined;
  const { version, checkpoint } = JSON.parse(readFileSync(file, "utf8")) as {
    version: number;
    checkpoint: { stack: string; latest?: Record<string, unknown> | null };
  };
  // 4 is 3 with a list of the features a state uses; what this engine knows lies in the same places.
  if (version !== 3 && version !== 4) throw new Error(`${file}: checkpoint version ${version} is not known, only 3 and 4`);
  return { stack: checkpoint.stack, latest: checkpoint.latest ?? undefined };
}

function readCheckpoint(file: string): StoredCheckpoint {
  const latest = readDeployment(file)?.latest as
    | { resources?: StoredResource[] | null; pending_operations?: StoredOperation[]; metadata?: { generation?: string } }
    | undefined;
  return {
    generation: latest?.metadata?.generation ?? "",
    resources: latest?.resources ?? [],
    operations: latest?.pending_operations ?? [],
  };
}

function playJournal(base: StoredCheckpoint, file: string): StoredCheckpoint {
  if (!existsSync(file)) return base;
  // The last line may be cut off by the kill: it never happened.
  const [first = "{}", ...lines] = readFileSync(file, "utf8").split("\n").slice(0, -1);
  if ((JSON.parse(first) as { generation?: string }).generation !== base.generation) return base;
  const old = new Map(base.resources.map((resource, number) => [number, resource]));
  const fresh = new Map<number, StoredResource>();
  const operations = new Map<number, StoredOperation>();
  for (const text of lines) {
    const line = JSON.parse(text) as JournalLine;
    if ("begin" in line) operations.set(line.begin, { type: line.type, resource: line.resource });
    else if ("end" in line) operations.delete(line.end);
    else if ("move" in line) {
      const resource = old.get(line.move) ?? fresh.get(line.move);
      if (resource !== undefined) fresh.set(line.slot, resource);
      old.delete(line.move);
      fresh.delete(line.move);
    } else if ("slot" in line) (line.fresh ? fresh : old).set(line.slot, line.resource);
    else {
      old.delete(line.drop);
      fresh.delete(line.drop);
    }
  }
  return {
    generation: base.generation,
    resources: [...fresh.values(), ...old.values()],
    operations: [...operations.values(), ...base.operations.filter(({ type }) => type === "creating")],
  };
}
