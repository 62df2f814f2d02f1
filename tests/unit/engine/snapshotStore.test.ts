import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "mocha";
import { openCrypter, type Crypter } from "../../engine/passphrase";
import { SnapshotStore } from "../../engine/snapshotStore";
import { newState, type ResourceState } from "../../engine/state";
import { Secret } from "../../engine/value";

const provider = newState({ urn: "urn:pulumi:s::p::pulumi:providers:pulumi-nodejs::default", type: "pulumi:providers:pulumi-nodejs", custom: true, id: "1" });

function note(name: string, fields: Partial<ResourceState> = {}): ResourceState {
  const type = "pulumi-nodejs:dynamic/notes:Note";
  return newState({ urn: `urn:pulumi:s::p::${type}::${name}`, type, custom: true, id: `id-${name}`, provider: `${provider.urn}::1`, ...fields });
}

const names = (states: ResourceState[]) => states.map(({ urn }) => urn.split("::").at(-1));

describe("engine: the state file", () => {
  let crypter: Crypter;
  let folder: string;
  let file: string;
  const open = () => SnapshotStore.open(file, "organization/p/s", crypter);

  before(async () => {
    crypter = await openCrypter("pass");
    folder = mkdtempSync(join(tmpdir(), "engine-state-"));
  });
  beforeEach(() => {
    file = join(folder, "s.json");
    for (const suffix of ["", ".journal"]) rmSync(`${file}${suffix}`, { force: true });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** A state of a provider and the given notes. */
  function saved(...notes: ResourceState[]): SnapshotStore {
    const store = open();
    for (const state of [provider, ...notes]) store.put(state);
    store.save();
    return store;
  }

  it("comes back as it was saved, in order, and holds no secret in plain", () => {
    const password = new Secret({ password: "hunter2", list: ["hunter2"] });
    saved(note("a", { inputs: { text: "x", password }, outputs: { password }, initErrors: ["half"], protect: true }), note("b"));
    assert.doesNotMatch(readFileSync(file, "utf8"), /hunter2/);
    const { resources } = open().base;
    assert.deepEqual(names(resources), ["default", "a", "b"]);
    assert.deepEqual(resources[1]?.inputs["password"], password);
    assert.deepEqual([resources[1]?.initErrors, resources[1]?.protect], [["half"], true]);
  });

  it("lists what an update has done before what it has not come to", () => {
    saved(note("a"), note("b"), note("c"));
    const store = open();
    const [, a, b] = store.base.resources as [ResourceState, ResourceState, ResourceState];
    store.succeed(b, { ...b });
    store.put(note("new"));
    store.remove(a);
    store.put(provider);
    store.remove(store.base.resources[0] as ResourceState);
    assert.deepEqual(names(store.resources()), ["b", "new", "default", "c"]);
  });

  it("is what the journal says when the engine was killed: done steps, and pending operations for those that had begun", () => {
    saved(note("a"), note("b"));
    const store = open();
    const [old, a, b] = store.base.resources as [ResourceState, ResourceState, ResourceState];
    store.succeed(old, { ...old });
    const updating = store.begin("updating", { ...a, inputs: { text: "new" } });
    store.put({ ...a, inputs: { text: "new" } });
    store.remove(a);
    store.end(updating);
    store.begin("creating", note("c", { id: "", inputs: { password: new Secret("hunter2") } }));
    store.begin("deleting", b);
    store.close();
    // The kill came in the middle of a line.
    appendFileSync(`${file}.journal`, '{"drop":');
    assert.doesNotMatch(readFileSync(`${file}.journal`, "utf8"), /hunter2/);

    const again = open().base;
    assert.deepEqual(names(again.resources), ["default", "a", "b"]);
    assert.deepEqual(again.resources[1]?.inputs, { text: "new" });
    assert.deepEqual(again.pendingOperations.map(({ type, resource }) => [type, ...names([resource])]), [["creating", "c"], ["deleting", "b"]]);
    assert.equal(existsSync(`${file}.journal`), false);
  });

  it("keeps interrupted creates pending until they are cleared, and forgets the other interrupted steps with the next update", () => {
    saved(note("a"));
    const killed = open();
    killed.begin("creating", note("c", { id: "" }));
    killed.begin("updating", killed.base.resources[1] as ResourceState);
    killed.close();
    assert.equal(open().base.pendingOperations.length, 2);
    open().save();
    assert.deepEqual(open().base.pendingOperations.map(({ type }) => type), ["creating"]);
    const clearing = open();
    clearing.clearPendingCreates();
    clearing.save();
    assert.deepEqual(open().base.pendingOperations, []);
  });

  it("is not changed by a journal that continues another file", () => {
    saved(note("a"));
    const store = open();
    store.remove(store.base.resources[1] as ResourceState);
    store.close();
    const journal = readFileSync(`${file}.journal`, "utf8");
    rmSync(`${file}.journal`);
    open().save();
    writeFileSync(`${file}.journal`, journal);
    assert.deepEqual(names(open().base.resources), ["default", "a"]);
  });

  it("lets a renamed resource's dependents refer to its new name", () => {
    const a = note("a");
    saved(a, note("b", { dependencies: [a.urn], propertyDependencies: { text: [a.urn] }, parent: a.urn }));
    const store = open();
    const [, old] = store.base.resources as [ResourceState, ResourceState];
    const renamed = { ...note("renamed"), aliases: [old.urn] };
    const [default1] = store.base.resources as [ResourceState];
    store.succeed(default1, { ...default1 });
    store.put(renamed);
    store.remove(old);
    const notRegisteredYet = store.base.resources[2] as ResourceState;
    store.save();
    assert.deepEqual([notRegisteredYet.dependencies, notRegisteredYet.propertyDependencies, notRegisteredYet.parent], [[renamed.urn], { text: [renamed.urn] }, renamed.urn]);
    assert.deepEqual(open().base.resources.find(({ urn }) => urn === renamed.urn)?.aliases, []);
  });

  it("is never written in an order that the real engine would refuse", () => {
    const store = open();
    store.put(provider);
    store.put(note("b", { dependencies: ["urn:pulumi:s::p::t:i:T::missing"] }));
    assert.throws(() => store.save(), /snapshot integrity failure.*dependency refers to missing resource urn:pulumi:s::p::t:i:T::missing/);
    rmSync(`${file}.journal`);
    const twice = open();
    for (const state of [provider, note("a"), note("a")]) twice.put(state);
    assert.throws(() => twice.save(), /duplicate resource .*::a/);
  });

  it("grows with what changes: a step of an update costs its own size, not the state's", () => {
    const many = Array.from({ length: 500 }, (_, number) => note(`n${number}`, { inputs: { text: "x".repeat(1000) } }));
    saved(...many);
    const store = open();
    for (const state of store.base.resources) store.succeed(state, { ...state });
    const unchanged = statSync(`${file}.journal`).size;
    const changed = store.resources()[10] as ResourceState;
    store.put({ ...changed, inputs: { text: "y".repeat(1000) } });
    const size = statSync(`${file}.journal`).size;
    assert.ok(unchanged < 501 * 60, `${unchanged} bytes for 501 unchanged resources`);
    assert.ok(size - unchanged < 2000, `${size - unchanged} bytes for one step`);
  });
});
