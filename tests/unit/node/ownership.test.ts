import assert from "node:assert/strict";

import { newToken } from "../../../provider/model/token";
import { isNodeError } from "../../../provider/node";
import { holderOf, isToken, type NodeOwner, requireOwnership } from "../../../provider/node/ownership";
import type { NodeRecord } from "../../../provider/node/record";

const type = "pulumi-nodejs:dynamic/registry-mirror:NodeContainerd";
function urn(stack: string, project: string, name: string, parents = ""): string {
  return `urn:pulumi:${stack}::${project}::${parents}${type}::${name}`;
}
function record(owner: string, token?: string): NodeRecord {
  return { owner, files: [], directories: [], ...(token === undefined ? {} : { token }) };
}
const mine = newToken();
const theirs = newToken();

describe("whose a node is", () => {
  const owner: NodeOwner = { urn: urn("dev", "p", "a"), token: mine };

  it("a token is 16 hex digits, another one each time; a URN is none", () => {
    assert.ok(isToken(mine) && isToken(theirs) && mine !== theirs);
    assert.equal(isToken(owner.urn), false);
    assert.equal(isToken(undefined), false);
  });

  it("the token decides, and the name only who is a namesake", () => {
    assert.equal(holderOf(undefined, owner), "nobody");
    assert.equal(holderOf(record(owner.urn, mine), owner), "us");
    assert.equal(holderOf(record(urn("old", "other", "b", "my:Parent$"), mine), owner), "us");
    assert.equal(holderOf(record(owner.urn, theirs), owner), "namesake");
    assert.equal(holderOf(record(urn("dev", "p", "b"), theirs), owner), "other");
  });

  it("of 0.1.0: the URN of a record without a token is its token", () => {
    const before = urn("old", "p", "a");
    assert.equal(holderOf(record(before), { ...owner, earlier: [before, owner.urn] }), "us");
    assert.equal(holderOf(record(owner.urn), { ...owner, earlier: [before, owner.urn] }), "us");
    assert.equal(holderOf(record(before), owner), "other");
    assert.equal(holderOf(record(before, theirs), { ...owner, earlier: [before] }), "other", "the record has moved on");
  });

  const refusal = (other: string, own = owner.urn): string => {
    try {
      requireOwnership("n1", record(other, theirs), { urn: own, token: mine }, false);
    } catch (error) {
      assert.ok(isNodeError(error, "NODE_OWNED"));
      assert.ok(error.message.includes(other) && error.message.includes("adopt: true"), error.message);
      return error.message;
    }
    return assert.fail("nobody refused");
  };

  it("a refusal says what differs, and the way out that fits it", () => {
    assert.match(refusal(urn("dev", "p", 'o"ld')), /name differs \(o"ld, here a\).*aliases: \[\{ name: "o\\"ld" \}\]/);
    const below = urn("dev", "p", "a", "my:Parent$");
    assert.match(refusal(below), /^Node n1: .*The parent differs\./);
    assert.ok(refusal(below).includes(`with aliases: ["${below}"] in its options`));
    const both = refusal(urn("dev", "p", "old", "my:Parent$"));
    assert.match(both, /\(old, here a, and below another parent\).*aliases: \["urn:pulumi:dev::p::my:Parent\$/);
    const stack = refusal(urn("prod", "p", "a"));
    assert.match(stack, /stack differs \(prod, here dev\).*select prod and run pulumi stack rename dev/);
    assert.match(refusal(urn("prod", "q", "a")), /The project differs \(q, here p\).*pulumi state move/);
    assert.match(refusal("somebody else"), /Two programs would undo each other's work/);
    assert.match(refusal(urn("dev", "p", "x::y")), /aliases: \[\{ name: "x::y" \}\]/);
  });

  it("adopt refuses nobody", () => {
    assert.equal(requireOwnership("n1", record(urn("prod", "p", "a"), theirs), owner, true), "other");
  });
});
