import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { DependencyGraph, deletionOrder } from "../../engine/dependencyGraph";
import { newState, type ResourceState } from "../../engine/state";

function resource(name: string, fields: Partial<ResourceState> = {}): ResourceState {
  return newState({ urn: `urn:pulumi:s::p::t:i:T::${name}`, type: "t:i:T", custom: true, ...fields });
}

const names = (states: Iterable<ResourceState>) => [...states].map(({ urn }) => urn.split("::").at(-1)).sort();

describe("engine: the order of deletes", () => {
  it("puts dependents before what they depend on, and what is independent together", () => {
    const a = resource("a");
    const b = resource("b", { dependencies: [a.urn] });
    const c = resource("c", { propertyDependencies: { text: [a.urn] } });
    const d = resource("d", { deletedWith: b.urn });
    const e = resource("e");
    const groups = deletionOrder([a, b, c, d, e], new DependencyGraph([a, b, c, d, e]));
    assert.deepEqual(groups.map(names), [["d"], ["b", "c"], ["a", "e"]]);
  });

  it("takes children before their parent, and a component's children as part of it", () => {
    const group = resource("group", { custom: false });
    const child = resource("child", { parent: group.urn });
    const after = resource("after", { dependencies: [group.urn] });
    const groups = deletionOrder([group, child, after], new DependencyGraph([group, child, after]));
    assert.deepEqual(groups.map(names), [["after"], ["child"], ["group"]]);
  });

  it("ignores what is not deleted", () => {
    const a = resource("a");
    const b = resource("b", { dependencies: [a.urn] });
    const c = resource("c", { dependencies: [b.urn] });
    assert.deepEqual(deletionOrder([a, c], new DependencyGraph([a, b, c])).map(names), [["a", "c"]]);
  });

  it("is found for a thousand resources in a chain without waiting long", () => {
    const chain: ResourceState[] = [];
    for (let number = 0; number < 1000; number++) chain.push(resource(`n${number}`, { dependencies: number === 0 ? [] : [`urn:pulumi:s::p::t:i:T::n${number - 1}`] }));
    const started = performance.now();
    assert.equal(deletionOrder(chain, new DependencyGraph(chain)).length, 1000);
    assert.ok(performance.now() - started < 2000);
  });
});

describe("engine: who depends on a resource", () => {
  it("is found through several steps, and through the provider, but not through being a child", () => {
    const a = resource("a", { id: "1" });
    const b = resource("b", { dependencies: [a.urn] });
    const c = resource("c", { propertyDependencies: { text: [b.urn] } });
    const child = resource("child", { parent: a.urn });
    const managed = resource("managed", { provider: `${a.urn}::1` });
    const graph = new DependencyGraph([a, b, c, child, managed]);
    assert.deepEqual(names(graph.dependingOn(a, new Set())), ["b", "c", "managed"]);
    assert.deepEqual(names(graph.dependingOn(a, new Set([b.urn]))), ["managed"]);
  });
});
