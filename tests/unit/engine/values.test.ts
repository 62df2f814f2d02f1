import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { fromStruct, toStruct } from "../../engine/marshal";
import { formatPropertyPath, keepOldValues, parsePropertyPath, pathContains } from "../../engine/propertyPath";
import { createUrn, displayType, parseUrn } from "../../engine/urn";
import { ResourceReference, Secret, containsSecrets, sameValue, unknown, type ValueMap } from "../../engine/value";
import { changedKeys, diffMaps, leavesOf } from "../../engine/valueDiff";

describe("engine: values", () => {
  it("travel through the protocol and come back the same, secrets and unknowns too", () => {
    const values: ValueMap = {
      text: "a",
      number: 1.5,
      nothing: null,
      list: [1, new Secret("hidden"), [true]],
      map: { deep: new Secret({ password: "hidden" }), later: unknown },
      reference: new ResourceReference("urn:pulumi:s::p::t::n", "id", ""),
    };
    const there = toStruct(values, { secrets: true, unknowns: "keep" });
    assert.ok(sameValue(fromStruct(there, "test", "keep"), values));
  });

  it("lose their secrecy, and only that, on the way to a provider that knows no secrets", () => {
    const values: ValueMap = { list: [new Secret("hidden")], later: unknown, reference: new ResourceReference("urn", "id-1", "") };
    assert.deepEqual(toStruct(values, { secrets: false, unknowns: "drop" }).toJavaScript(), { list: ["hidden"], reference: "id-1" });
  });

  it("that are unknown outside a preview are refused", () => {
    const there = toStruct({ later: unknown }, { secrets: true, unknowns: "keep" });
    assert.throws(() => fromStruct(there, "note.outputs", "refuse"), /unexpected unknown property value for "note.outputs.later"/);
  });

  it("know whether they hold a secret anywhere", () => {
    assert.equal(containsSecrets({ a: [{ b: new Secret(1) }] }), true);
    assert.equal(containsSecrets({ a: [{ b: 1 }] }), false);
  });
});

describe("engine: differences of values", () => {
  const old: ValueMap = { same: 1, gone: 2, text: "a", files: { "hosts.toml": "x", "ca.crt": "y" }, list: [1, 2, 3], empty: null };
  const fresh: ValueMap = { same: 1, added: 3, text: "b", files: { "hosts.toml": "z", "ca.crt": "y" }, list: [1, 5], empty: "now" };

  it("name the changed keys and every changed place", () => {
    const diff = diffMaps(old, fresh);
    assert.ok(diff);
    assert.deepEqual(changedKeys(diff), ["added", "empty", "files", "gone", "list", "text"]);
    assert.deepEqual(leavesOf(diff).map(({ path, kind }) => `${kind} ${formatPropertyPath(path)}`).sort(), [
      "add added",
      "add empty",
      "delete gone",
      "delete list[2]",
      'update files["hosts.toml"]',
      "update list[1]",
      "update text",
    ]);
  });

  it("are undefined where nothing differs, a null being no value", () => {
    assert.equal(diffMaps({ a: null, b: [{ c: 1 }] }, { b: [{ c: 1 }] }), undefined);
  });

  it("see a secret whose content changed", () => {
    assert.notEqual(diffMaps({ a: new Secret("x") }, { a: new Secret("y") }), undefined);
    assert.equal(diffMaps({ a: new Secret("x") }, { a: new Secret("x") }), undefined);
  });
});

describe("engine: property paths", () => {
  const paths = ["a", "a.b", "a[0].b", 'files["hosts.toml"]', 'a["say \\"x\\""].b'];
  for (const path of paths) it(`reads and writes ${path}`, () => assert.equal(formatPropertyPath(parsePropertyPath(path)), path));

  for (const path of [".a", "a[", 'a["b']) it(`refuses ${path}`, () => assert.throws(() => parsePropertyPath(path), /invalid property path/));

  it("contain themselves, what lies inside, and what a star stands for", () => {
    const contains = (outer: string, inner: string) => pathContains(parsePropertyPath(outer), parsePropertyPath(inner));
    assert.equal(contains("a", "a.b[1]"), true);
    assert.equal(contains("a.*.c", "a.b.c"), true);
    assert.equal(contains("a[*]", "a[3]"), true);
    assert.equal(contains("a.b", "a"), false);
    assert.equal(contains("a.b", "a.c"), false);
  });

  it("put ignored properties back to what they were", () => {
    const kept = keepOldValues({ a: 2, files: { x: "new", y: "new" }, added: 1, list: [9, 9] }, { a: 1, files: { x: "old" }, list: [1, 2] }, [
      "a",
      'files["x"]',
      "added",
      "list[1]",
    ]);
    assert.deepEqual(kept, { inputs: { a: 1, files: { x: "old", y: "new" }, list: [9, 2] }, invalid: [] });
  });

  it("say which ignored element only one side has", () => {
    assert.deepEqual(keepOldValues({ list: [1] }, { list: [1, 2] }, ["list[1]"]).invalid, ["list[1]"]);
  });

  it("keep a secret secret when they put it back", () => {
    const { inputs } = keepOldValues({ a: { b: "new" } }, { a: new Secret({ b: "old" }) }, ["a.b"]);
    assert.ok(sameValue(inputs, { a: { b: new Secret("old") } }));
  });
});

describe("engine: names of resources", () => {
  it("carry the types of their parents, but not the stack's", () => {
    const stack = createUrn("dev", "shop", "", "pulumi:pulumi:Stack", "shop-dev");
    const group = createUrn("dev", "shop", stack, "shop:index:Group", "g");
    const note = createUrn("dev", "shop", group, "pulumi-nodejs:dynamic/notes:Note", "a::b");
    assert.equal(note, "urn:pulumi:dev::shop::shop:index:Group$pulumi-nodejs:dynamic/notes:Note::a::b");
    assert.deepEqual(parseUrn(note), {
      stack: "dev",
      project: "shop",
      qualifiedType: "shop:index:Group$pulumi-nodejs:dynamic/notes:Note",
      type: "pulumi-nodejs:dynamic/notes:Note",
      name: "a::b",
    });
  });

  it("show a type shortly where the module repeats it", () => {
    assert.equal(displayType("aws:s3/bucket:Bucket"), "aws:s3:Bucket");
    assert.equal(displayType("pulumi-nodejs:dynamic/registry-mirror:ImagePushSet"), "pulumi-nodejs:dynamic/registry-mirror:ImagePushSet");
  });
});
