/**
 * What an engine does with a program. The same tests run on the real Pulumi CLI where there is one (a `pulumi` on PATH;
 * PULUMI_TEST_CLI=real insists on it): what the test engine lets pass must hold for the real one.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "mocha";
import { findCli } from "../../engine/findCli";
import { openStack, type ConfigValue, type OperationResult } from "../../engine/program";
import { Secret } from "../../engine/value";
import { errors, Notes, programs, steps, temporaryFolder } from "./notes";

function succeeded(result: OperationResult): OperationResult {
  assert.ok(result.ok, `${result.stdout}${result.stderr}`);
  return result;
}

function failed(result: OperationResult): OperationResult {
  assert.equal(result.ok, false, result.stdout);
  return result;
}

describe(`engine: programs, run by ${findCli().description}`, function () {
  // Each operation starts two or three processes; a busy machine takes its time.
  this.timeout(400_000);

  it("a preview shows what would be created and touches nothing; up creates it; up again changes nothing; destroy deletes it", async () => {
    const notes = await Notes.open([{ name: "a" }, { name: "b", from: "a" }]);
    const preview = succeeded(await notes.stack.preview());
    assert.deepEqual(steps(preview), ["create a", "create b", "create notes-test"]);
    assert.deepEqual(preview.changes, { create: 3 });
    assert.match(preview.stdout, /^ \+ {2}pulumi-nodejs:dynamic\/notes:Note a create/m);
    assert.match(preview.stdout, /Outputs:\n {4}digests *: \{\n {8}a: \[unknown\]\n {8}b: \[unknown\]/);
    assert.match(preview.stdout, /Resources:\n {4}\+ 3 to create\n/);
    assert.deepEqual(notes.log(), []);
    assert.deepEqual((await notes.stack.state()).resources, []);

    const up = succeeded(await notes.stack.up());
    assert.deepEqual(notes.log(), ["creating a", "created a", "creating b", "created b"]);
    assert.deepEqual(up.outputs["digests"], { a: "digest of hello", b: "digest of digest of hello" });
    assert.match(up.stdout, /^ \+ {2}pulumi-nodejs:dynamic\/notes:Note b created \(\d/m);
    assert.match(up.stdout, /Resources:\n {4}\+ 3 created\n/);
    const b = await notes.stack.resource("b");
    assert.deepEqual([b.id, b.inputs["text"], b.outputs?.["digest"]], ["id-b-0", "digest of hello", "digest of digest of hello"]);
    const a = await notes.stack.resource("a");
    assert.deepEqual([b.dependencies, b.propertyDependencies["text"]], [[a.urn], [a.urn]]);

    const again = succeeded(await notes.stack.up());
    assert.deepEqual([steps(again), again.changes, notes.log()], [[], { same: 3 }, []]);

    const destroy = succeeded(await notes.stack.destroy());
    assert.deepEqual(steps(destroy), ["delete a", "delete b", "delete notes-test"]);
    assert.deepEqual(notes.log(), ["deleting b-0", "deleted b-0", "deleting a-0", "deleted a-0"]);
    assert.deepEqual((await notes.stack.state()).resources, []);
  });

  it("an update shows the changed lines; what depends on it is unknown in the preview; what left the program is deleted last", async () => {
    const lines = (third: string) => ["one", "two", third, "four", ""].join("\n");
    const notes = await Notes.open([{ name: "a", text: "old", files: { "hosts.toml": lines("three") } }, { name: "b", from: "a" }, { name: "c" }]);
    succeeded(await notes.stack.up());
    notes.log();
    await notes.plan([{ name: "a", text: "new", files: { "hosts.toml": lines("3") } }, { name: "b", from: "a" }]);

    const preview = succeeded(await notes.stack.preview());
    assert.deepEqual(steps(preview), ["delete c", "update a", "update b"]);
    assert.deepEqual(preview.steps.find(({ name }) => name === "a")?.diffKeys, ["files", "text"]);
    assert.match(preview.stdout, / ~ {2}pulumi-nodejs:dynamic\/notes:Note a update \[diff: ~files,text\]\n/);
    assert.match(preview.stdout, /Resources:\n {4}~ 2 to update\n {4}- 1 to delete\n {4}3 changes\. 1 unchanged\n/);

    const detail = succeeded(await notes.stack.preview({ diff: true })).stdout;
    assert.match(detail, / {6}~ files *: \{\n {10}~ hosts\.toml: \n {16}one\n {16}two\n {14}- three\n {14}\+ 3\n {16}four\n {8}\}\n/);
    assert.match(detail, / {6}~ text *: "old" => "new"\n/);
    assert.match(detail, / {6}~ text *: "digest of old" => \[unknown\]\n/);

    succeeded(await notes.stack.up());
    assert.deepEqual(notes.log(), ["updating a", "updating b", "deleting c-0", "deleted c-0"]);
    assert.equal((await notes.stack.resource("b")).outputs?.["text"], "digest of new");
  });

  it("a replacement creates the new resource, then updates dependents, and deletes the old one at the end", async () => {
    const notes = await Notes.open([{ name: "a", size: 1 }, { name: "b", from: "a" }]);
    succeeded(await notes.stack.up());
    notes.log();
    await notes.plan([{ name: "a", size: 2, text: "bigger" }, { name: "b", from: "a" }]);
    const preview = succeeded(await notes.stack.preview());
    assert.deepEqual(steps(preview), ["create-replacement a", "delete-replaced a", "replace a", "update b"]);
    assert.deepEqual(preview.changes, { replace: 1, same: 1, update: 1 });
    assert.deepEqual(preview.steps.find(({ op }) => op === "replace")?.replaceKeys, ["size"]);
    assert.match(preview.stdout, / \+\+ pulumi-nodejs:dynamic\/notes:Note a create replacement \[diff: ~size,text\]/);
    assert.match(preview.stdout, / {4}\+-1 to replace\n/);
    succeeded(await notes.stack.up());
    assert.deepEqual(notes.log(), ["creating a", "created a", "updating b", "deleting a-1", "deleted a-1"]);
    assert.equal((await notes.stack.resource("a")).id, "id-a-2");
  });

  it("delete-before-replace deletes first, and before it those dependents that the change would replace, but no others", async () => {
    const dependents = [
      { name: "replaced", from: "a", strict: true },
      { name: "updated", from: "a" },
      { name: "waiting", options: { dependsOn: ["a"] } },
    ];
    const notes = await Notes.open([{ name: "a", size: 1 }, ...dependents]);
    succeeded(await notes.stack.up());
    notes.log();
    await notes.plan([{ name: "a", size: 2, text: "new", deleteFirst: true }, ...dependents]);
    const preview = succeeded(await notes.stack.preview());
    assert.deepEqual(preview.changes, { replace: 2, same: 2, update: 1 });
    succeeded(await notes.stack.up());
    const log = notes.log();
    assert.deepEqual(log.slice(0, 6), ["deleting replaced-0", "deleted replaced-0", "deleting a-1", "deleted a-1", "creating a", "created a"]);
    assert.deepEqual(log.slice(6).sort(), ["created replaced", "creating replaced", "updating updated"]);
  });

  it("a delete-before-replace that fails in between is finished by the next up, or forgotten when the resource left the program", async () => {
    const options = { deleteBeforeReplace: true };
    const notes = await Notes.open([{ name: "a", size: 1, options }, { name: "b", size: 1, options }]);
    succeeded(await notes.stack.up());
    await notes.plan([{ name: "a", size: 2, fail: "create", options }, { name: "b", size: 2, fail: "create", options }]);
    failed(await notes.stack.up());
    // Both, or the one that came first: the other may not have begun.
    const pending = (await notes.stack.state()).resources.filter(({ pendingReplacement }) => pendingReplacement).map(({ urn }) => urn.split("::").at(-1));
    assert.ok(pending.length > 0, "no resource is pending replacement");
    notes.log();
    await notes.plan([{ name: "a", size: 2, options }]);
    succeeded(await notes.stack.up());
    assert.ok(notes.log().includes("created a"));
    assert.ok(notes.has("a", 2) && !notes.has("a", 1) && !notes.has("b", 1));
    assert.deepEqual((await notes.stack.state()).resources.filter(({ pendingReplacement, delete: condemned }) => pendingReplacement || condemned), []);
  });

  it("a failed delete of a replaced resource is tried again by the next up", async () => {
    const notes = await Notes.open([{ name: "a", size: 1, fail: "delete" }]);
    succeeded(await notes.stack.up());
    await notes.plan([{ name: "a", size: 2, fail: "delete" }]);
    const up = failed(await notes.stack.up());
    assert.deepEqual(errors(up), ["cannot delete a"]);
    assert.deepEqual((await notes.stack.state()).resources.filter((state) => state.delete).map(({ id }) => id), ["id-a-1"]);
    notes.log();
    failed(await notes.stack.up());
    assert.deepEqual(notes.log(), ["deleting a-1"]);
  });

  it("a failed check stops everything before anything is touched; the message names the value of a named property, secret or not", async () => {
    const notes = await Notes.open([{ name: "a", text: "hunter2", secret: true, fail: "check" }]);
    for (const result of [failed(await notes.stack.preview()), failed(await notes.stack.up())]) {
      const [message = ""] = errors(result);
      assert.match(message, /pulumi-nodejs:dynamic\/notes:Note resource 'a': property text value .* has a problem: this text is not allowed/);
      // A provider that names a secret property in a failure leaks it. No engine helps; tests have to see it.
      assert.match(message, /hunter2/);
    }
    assert.deepEqual(notes.log(), []);
  });

  it("a failed create leaves what was done; the next up goes on from there", async () => {
    const notes = await Notes.open([{ name: "a" }, { name: "b", from: "a", fail: "create" }, { name: "c", from: "b" }]);
    const up = failed(await notes.stack.up());
    assert.deepEqual(errors(up), ["cannot create b"]);
    assert.match(up.stdout, / \+ {2}pulumi-nodejs:dynamic\/notes:Note b \*\*creating failed\*\*/);
    assert.match(up.stdout, /error: update failed/);
    assert.deepEqual(notes.log(), ["creating a", "created a", "creating b"]);
    assert.deepEqual((await notes.stack.state()).pendingOperations, []);
    await notes.plan([{ name: "a" }, { name: "b", from: "a" }, { name: "c", from: "b" }]);
    succeeded(await notes.stack.up());
    assert.deepEqual(notes.log(), ["creating b", "created b", "creating c", "created c"]);
  });

  it("a partial failure keeps the resource with its reasons; the next up updates it even when nothing else changed", async () => {
    const notes = await Notes.open([{ name: "a", fail: "partial" }]);
    const up = failed(await notes.stack.up());
    assert.match(errors(up)[0] ?? "", /1 error occurred:\n\s+\* only half of it is there/);
    const half = await notes.stack.resource("a");
    assert.deepEqual([half.id, half.initErrors, half.outputs?.["digest"]], ["id-a", ["only half of it is there"], "digest of hello"]);
    assert.deepEqual(steps(succeeded(await notes.stack.preview())), ["update a"]);
    await notes.plan([{ name: "a" }]);
    succeeded(await notes.stack.up());
    assert.deepEqual((await notes.stack.resource("a")).initErrors, []);

    await notes.plan([{ name: "a", text: "second", fail: "partial" }]);
    failed(await notes.stack.up());
    const again = await notes.stack.resource("a");
    // The old inputs stay, so that the difference shows again; the outputs are what is really there.
    assert.deepEqual([again.inputs["text"], again.outputs?.["text"], again.initErrors], ["hello", "second", ["only half of it is there"]]);
    await notes.plan([{ name: "a", text: "second" }]);
    assert.deepEqual(steps(succeeded(await notes.stack.up())), ["update a"]);
    assert.deepEqual(steps(succeeded(await notes.stack.up())), []);
  });

  it("undefined among a provider's outputs is refused, and the resource is lost to the state", async () => {
    const notes = await Notes.open([{ name: "a", fail: "undefined" }]);
    assert.match(errors(failed(await notes.stack.up()))[0] ?? "", /Unexpected struct type\./);
    assert.deepEqual(notes.log(), ["creating a", "created a"]);
    await assert.rejects(notes.stack.resource("a"), /0 resources/);
  });

  it("a failed update keeps the old state", async () => {
    const notes = await Notes.open([{ name: "a" }]);
    succeeded(await notes.stack.up());
    await notes.plan([{ name: "a", text: "new", fail: "update" }]);
    assert.deepEqual(errors(failed(await notes.stack.up())), ["cannot update a"]);
    assert.equal((await notes.stack.resource("a")).inputs["text"], "hello");
  });

  it("B8: a secret is in no plan and in no state in plain; outputs named like a secret input, and those asked for, are secret too", async () => {
    // The whole configuration lies in the state, too, so the secret comes from a secret of the configuration.
    const secret = { name: "a", secret: true, options: { additionalSecretOutputs: ["digest"] } };
    const dependent = { name: "b", from: "a", options: { additionalSecretOutputs: ["digest"] } };
    const notes = await Notes.open([secret, dependent], { config: { password: { secret: "hunter2" } } });
    const results = [await notes.stack.preview({ diff: true }), await notes.stack.up(), await notes.stack.up()];
    await notes.plan([secret, dependent], { password: { secret: "hunter2-new" } });
    results.push(await notes.stack.preview(), await notes.stack.preview({ diff: true }), await notes.stack.up(), await notes.stack.refresh());
    for (const result of results) {
      succeeded(result);
      // "extra" is not declared secret, so it is not: the provider has to say which outputs hold one.
      assert.doesNotMatch((result.stdout + result.stderr).replaceAll(/extra of (digest of )?hunter2(-new)?/g, ""), /hunter2/);
    }
    assert.doesNotMatch(notes.stack.stateText().replaceAll(/extra of (digest of )?hunter2(-new)?/g, ""), /hunter2/);
    const a = await notes.stack.resource("a");
    assert.ok(a.inputs["text"] instanceof Secret && a.outputs?.["text"] instanceof Secret && a.outputs["digest"] instanceof Secret);
    // A changed secret changes the resource, but not visibly.
    assert.deepEqual(results[3]?.steps.find(({ name }) => name === "a")?.op, "update");
    assert.deepEqual(results[3]?.steps.find(({ name }) => name === "a")?.diffKeys, []);
    assert.equal((await notes.stack.outputs())["password"], "hunter2-new");
    assert.match(results[1]?.stdout ?? "", /password: \[secret\]/);
  });

  it("a component is a resource with outputs; its children go before it, and who depends on it waits for its children", async () => {
    const plan = [{ name: "group", component: true }, { name: "a", parent: "group" }, { name: "after", options: { dependsOn: ["group"] } }];
    const notes = await Notes.open(plan);
    succeeded(await notes.stack.up());
    assert.deepEqual(notes.log(), ["creating a", "created a", "creating after", "created after"]);
    const [group, a] = [await notes.stack.resource("group"), await notes.stack.resource("a")];
    assert.deepEqual([group.custom, group.outputs], [false, { group: "group" }]);
    assert.equal(a.urn, "urn:pulumi:test::notes::notes:index:Group$pulumi-nodejs:dynamic/notes:Note::a");
    succeeded(await notes.stack.destroy());
    assert.deepEqual(notes.log(), ["deleting after-0", "deleted after-0", "deleting a-0", "deleted a-0"]);
  });

  it("refresh takes over what was changed by hand, drops what is gone, and up repairs both", async () => {
    const notes = await Notes.open([{ name: "a" }, { name: "b", from: "a" }, { name: "c" }]);
    succeeded(await notes.stack.up());
    assert.deepEqual(succeeded(await notes.stack.refresh()).changes, { same: 4 });
    notes.write("a", "by hand");
    notes.remove("c");
    const refresh = succeeded(await notes.stack.refresh());
    assert.deepEqual(refresh.changes, { delete: 1, same: 2, update: 1 });
    assert.deepEqual(refresh.steps.find(({ name }) => name === "a")?.diffKeys, ["text"]);
    assert.match(refresh.stdout, / ~ {2}pulumi-nodejs:dynamic\/notes:Note a updated \(.*\) \[diff: ~text\]/);
    assert.equal((await notes.stack.resource("a")).inputs["text"], "by hand");
    await assert.rejects(notes.stack.resource("c"), /0 resources/);
    notes.log();
    assert.deepEqual(steps(succeeded(await notes.stack.preview())), ["create c", "update a", "update b"]);

    notes.write("a", "by hand again");
    const up = succeeded(await notes.stack.up({ refresh: true }));
    // The digest that b takes over is again what it was, so b stays.
    assert.deepEqual(up.changes, { create: 1, same: 2, update: 1 });
    assert.equal((await notes.stack.resource("a")).outputs?.["text"], "hello");
  });

  it("a resource that cannot be read fails the refresh and keeps its state, and nothing is updated after it", async () => {
    const notes = await Notes.open([{ name: "a", text: "unreadable" }, { name: "b" }]);
    succeeded(await notes.stack.up());
    notes.write("b", "by hand");
    const refresh = failed(await notes.stack.refresh());
    assert.deepEqual(errors(refresh), ["cannot read a"]);
    assert.equal((await notes.stack.resource("a")).inputs["text"], "unreadable");
    assert.equal((await notes.stack.resource("b")).inputs["text"], "by hand");
    notes.log();
    failed(await notes.stack.up({ refresh: true }));
    assert.deepEqual(notes.log(), []);
  });

  it("a protected resource is neither deleted nor replaced", async () => {
    const kept = { name: "a", options: { protect: true } };
    const notes = await Notes.open([kept]);
    succeeded(await notes.stack.up());
    notes.log();
    assert.match(errors(failed(await notes.stack.destroy()))[0] ?? "", /cannot be deleted\nbecause it is protected/);
    await notes.plan([{ ...kept, size: 2 }]);
    assert.match(errors(failed(await notes.stack.up()))[0] ?? "", /unable to replace resource/);
    assert.deepEqual(notes.log(), []);
    // Taking the protection away and replacing may be one step.
    await notes.plan([{ name: "a", size: 2 }]);
    succeeded(await notes.stack.up());
    assert.deepEqual(notes.log(), ["creating a", "created a", "deleting a-0", "deleted a-0"]);
  });

  it("retainOnDelete and deletedWith forget a resource without asking the provider", async () => {
    const notes = await Notes.open([{ name: "kept", options: { retainOnDelete: true } }, { name: "host" }, { name: "guest", options: { deletedWith: "host" } }]);
    succeeded(await notes.stack.up());
    notes.log();
    await notes.plan([]);
    const up = succeeded(await notes.stack.up());
    assert.deepEqual(steps(up), ["delete guest", "delete host", "delete kept"]);
    assert.match(up.stdout, / - {2}pulumi-nodejs:dynamic\/notes:Note kept deleted \(.*\)\[retain\]/);
    assert.deepEqual(notes.log(), ["deleting host-0", "deleted host-0"]);
    assert.ok(notes.has("kept") && notes.has("guest"));
  });

  it("ignoreChanges and replaceOnChanges overrule what the provider would do", async () => {
    const ignored = { name: "ignored", options: { ignoreChanges: ["text"] } };
    const replaced = { name: "replaced", options: { replaceOnChanges: ["list"] } };
    const notes = await Notes.open([{ ...ignored, text: "old" }, { ...replaced, list: ["old"] }]);
    succeeded(await notes.stack.up());
    await notes.plan([{ ...ignored, text: "new" }, { ...replaced, list: ["new"] }]);
    const up = succeeded(await notes.stack.up());
    // A dynamic provider does not name the keys it found changed, so replaceOnChanges has nothing to match.
    assert.deepEqual(steps(up), ["update replaced"]);
    assert.equal((await notes.stack.resource("ignored")).inputs["text"], "old");
  });

  it("aliases carry a resource over to another name, type and parent, and its children with it", async () => {
    const notes = await Notes.open([{ name: "group", component: true }, { name: "old", parent: "group" }]);
    succeeded(await notes.stack.up());
    notes.log();
    await notes.plan([{ name: "renamed", component: true, options: { aliases: [{ name: "group" }] } }, { name: "old", parent: "renamed" }]);
    assert.deepEqual(steps(succeeded(await notes.stack.up())), []);
    const parent = (await notes.stack.resource("renamed")).urn;
    assert.equal((await notes.stack.resource("old")).parent, parent);
    const alias = { name: "old", type: "pulumi-nodejs:dynamic/notes:Note", parent };
    await notes.plan([{ name: "renamed", component: true }, { name: "new", type: "Paper", options: { aliases: [alias] } }]);
    assert.deepEqual(steps(succeeded(await notes.stack.preview())), []);
    succeeded(await notes.stack.up());
    assert.deepEqual(notes.log(), []);
    assert.equal((await notes.stack.resource("new")).id, "id-old-0");
  });

  it("two resources of one name are refused", async () => {
    const notes = await Notes.open([{ name: "a" }, { name: "a" }]);
    assert.match(errors(failed(await notes.stack.preview()))[0] ?? "", /Duplicate resource URN '.*::a'; try giving it a unique name/);
  });

  it("a program that crashes deletes nothing", async () => {
    const notes = await Notes.open([{ name: "a" }]);
    succeeded(await notes.stack.up());
    await notes.plan([], { crash: true });
    const up = failed(await notes.stack.up());
    assert.match(up.stdout, /the program crashes/);
    assert.ok(notes.has("a"));
    assert.equal((await notes.stack.resource("a")).id, "id-a-0");
  });

  it("what is independent is created at the same time, as many as --parallel says", async () => {
    const plan = ["a", "b", "c"].map((name) => ({ name, delay: 400 }));
    const together = await Notes.open(plan, { parallel: 8 });
    succeeded(await together.stack.up());
    assert.deepEqual(together.log().slice(0, 3).sort(), ["creating a", "creating b", "creating c"]);
    succeeded(await together.stack.destroy());
    assert.deepEqual(together.log().slice(0, 3).sort(), ["deleting a-0", "deleting b-0", "deleting c-0"]);
    const alone = await Notes.open(plan, { parallel: 1 });
    succeeded(await alone.stack.up());
    assert.deepEqual(alone.log().map((line) => line.split(" ")[0]), ["creating", "created", "creating", "created", "creating", "created"]);
  });

  it("a provider's progress shows on its resource's own line, and not among the messages at the end", async () => {
    const notes = await Notes.open([{ name: "a", progress: "halfway there", delay: 300 }]);
    const up = succeeded(await notes.stack.up());
    assert.match(up.stdout, / \+ {2}pulumi-nodejs:dynamic\/notes:Note a creating \(\ds\) halfway there\n/);
    assert.doesNotMatch(up.stdout, /Diagnostics:/);
  });

  it("hooks of the program run around the steps, those of a delete before the program ends", async () => {
    const notes = await Notes.open([{ name: "a", hooked: true }]);
    succeeded(await notes.stack.up());
    assert.deepEqual(notes.log(), ["hook before create a", "creating a", "created a", "hook after create a"]);
    await notes.plan([{ name: "a", size: 2, hooked: true }]);
    succeeded(await notes.stack.up());
    assert.deepEqual(notes.log().slice(-3), ["hook before delete a", "deleting a-0", "deleted a-0"]);
  });

  it("with targets only they are changed, and a target must not need what is none", async () => {
    const notes = await Notes.open([{ name: "a" }, { name: "b" }]);
    succeeded(await notes.stack.up());
    const { urn } = await notes.stack.resource("a");
    await notes.plan([{ name: "a", text: "new" }, { name: "b", text: "new" }, { name: "c" }]);
    assert.deepEqual(steps(succeeded(await notes.stack.up({ targets: [urn] }))), ["update a"]);
    assert.equal((await notes.stack.resource("b")).inputs["text"], "hello");
    await assert.rejects(notes.stack.resource("c"), /0 resources/);
    await notes.plan([{ name: "c" }, { name: "a", from: "c" }, { name: "b" }]);
    assert.match(errors(failed(await notes.stack.up({ targets: [urn] })))[0] ?? "", /depends on '.*::c' which was was not specified in --target list/);
  });

  describe("interrupted", () => {
    it("once: what is running finishes and is kept, nothing new begins", async () => {
      const notes = await Notes.open([{ name: "a", delay: 2500 }, { name: "b", from: "a" }]);
      const running = notes.stack.start("up");
      await notes.seen(running, "creating a");
      running.interrupt();
      const up = failed(await running.result);
      assert.match(up.stdout, /\^C received; cancelling/);
      assert.match(up.stdout, /error: update canceled/);
      assert.deepEqual(notes.log(), ["creating a", "created a"]);
      const state = await notes.stack.state();
      assert.equal((await notes.stack.resource("a")).id, "id-a-0");
      assert.deepEqual(state.pendingOperations, []);
      assert.deepEqual(steps(succeeded(await notes.stack.up())), ["create b"]);
    });

    it("twice: it ends at once, and the step is kept as a pending operation until somebody has looked", async () => {
      const notes = await Notes.open([{ name: "a", delay: 20_000 }]);
      const running = notes.stack.start("up");
      await notes.seen(running, "creating a");
      running.interrupt();
      await running.waitFor(/press \^C again/);
      running.interrupt();
      const up = failed(await running.result);
      assert.ok(up.seconds < 15, `it took ${up.seconds} s`);
      assert.deepEqual((await notes.stack.state()).pendingOperations.map(({ type, resource }) => [type, resource.urn.split("::").at(-1)]), [["creating", "a"]]);
      await notes.stack.unlock();
      await notes.plan([{ name: "a" }]);
      const next = succeeded(await notes.stack.up());
      assert.match(next.diagnostics.map(({ message }) => message).join(), /1 pending operations from previous deployment\.\n +\* .*::a, interrupted while creating/);
      assert.equal((await notes.stack.state()).pendingOperations.length, 1);
      succeeded(await notes.stack.refresh({ clearPendingCreates: true }));
      assert.deepEqual((await notes.stack.state()).pendingOperations, []);
    });

    it("by a kill: nothing that was done is lost", async () => {
      const notes = await Notes.open([{ name: "a" }, { name: "b", from: "a", delay: 20_000 }]);
      const running = notes.stack.start("up");
      await notes.seen(running, "creating b");
      running.kill();
      assert.equal((await running.result).ok, false);
      await notes.stack.unlock();
      assert.equal((await notes.stack.resource("a")).id, "id-a-0");
      assert.deepEqual((await notes.stack.state()).pendingOperations.map(({ type }) => type), ["creating"]);
    });
  });

  describe("a TypeScript program with declared configuration", () => {
    let stateDir: string;
    before(() => (stateDir = temporaryFolder()));
    const token = { secret: "t" };
    const open = (config: Record<string, ConfigValue>) => openStack({ programDir: join(programs, "typed"), stateDir, config, timeout: 200_000 });

    it("wants what has no default, of the right type", async () => {
      const missing = failed(await (await open({ token })).preview());
      assert.match(missing.stdout + missing.stderr, /missing configuration value 'count'/i);
      const wrong = failed(await (await open({ count: "many", token })).preview());
      assert.match(wrong.stdout + wrong.stderr, /'count' must be of type 'integer'|count.*must be of type/);
      const plain = failed(await (await open({ count: 2, token: "t" })).preview());
      assert.match(plain.stdout + plain.stderr, /token' must be encrypted as it's secret/);
    });

    it("is compiled by the SDK, gets defaults, and its provider is configured with the stack's values", async () => {
      const stack = await open({ count: 2, suffix: "!", token });
      assert.deepEqual(succeeded(await stack.up()).outputs, { spoken: "good morning, good morning!" });
      // Nothing is written beside the program.
      assert.throws(() => readFileSync(join(programs, "typed", "Pulumi.test.yaml")), /ENOENT/);
    });
  });
});
