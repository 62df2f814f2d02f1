import assert from "node:assert/strict";

import { MirrorError, textWithCode } from "../../../provider/model/errors";
import type { Problem } from "../../../provider/model/problem";
import { redact } from "../../../provider/model/redact";
import type { Operations } from "../../../provider/pulumi/boundary";
import { dynamicProvider, PartialFailure } from "../../../provider/pulumi/boundary";
import { holdsUnknown, sameValue, unknownValue, withoutUndefined } from "../../../provider/pulumi/plainValue";
import { secretsIn } from "../../../provider/pulumi/redaction";
import { RolloutError } from "../../../provider/resources/cluster/rollout";

interface In {
  connection: { password: string };
  resourceUrn?: string;
  problems?: Problem[];
  __provider?: string;
}
interface Out extends In {
  result?: string | undefined;
}

const inputs: In = { connection: { password: "hunter22" }, resourceUrn: "urn:x", __provider: "code" };

function provider(changes: Partial<Operations<In, Out>>): ReturnType<typeof dynamicProvider> {
  const never = (): never => assert.fail("not expected to be called");
  return dynamicProvider<In, Out>({
    check: (_o, n) => ({ inputs: n, problems: [] }),
    diff: never,
    create: never,
    read: never,
    update: never,
    delete: never,
    ...changes,
  });
}

describe("the boundary to Pulumi", () => {
  it("strips undefined from what goes into the state, at any depth (pulumi#2205)", async () => {
    const p = provider({ create: (i) => Promise.resolve({ id: "1", outs: { ...i, result: undefined } }) });
    const outs = (await p.create(inputs)).outs as Out;
    assert.equal(Object.hasOwn(outs, "result"), false);
    assert.deepEqual(withoutUndefined({ a: [{ b: undefined, c: 1 }], d: undefined }), { a: [{ c: 1 }] });
  });

  it("keeps id, properties and the provider's code of work half done", async () => {
    const p = provider({
      create: (i) =>
        Promise.reject(
          new PartialFailure(
            new MirrorError("PUSH_INCOMPLETE", "1 of 2 failed", { reasons: ["b: refused"] }),
            { ...i, result: "a" },
            "id-1",
          ),
        ),
    });
    await assert.rejects(
      p.create(inputs),
      (error: Error & { id?: string; properties?: Record<string, unknown>; reasons?: string[] }) => {
        assert.equal(error.id, "id-1");
        assert.equal(error.properties?.["result"], "a");
        assert.equal(error.properties?.["__provider"], "code");
        assert.deepEqual(error.reasons, ["1 of 2 failed [PUSH_INCOMPLETE]", "b: refused"]);
        assert.match(error.message, /1 of 2 failed/);
        return true;
      },
    );
  });

  it("B8: takes secrets out of an error, plain and in their encoded forms", async () => {
    const p = provider({ create: () => Promise.reject(new Error("login hunter22 refused")) });
    await assert.rejects(
      p.create(inputs),
      (error: Error) => !error.message.includes("hunter22") && error.message === "login [secret] refused [UNEXPECTED]",
    );
    const secrets = secretsIn({
      credentials: { "h:5000": { username: "u", password: "p@ss word" } },
      proxy: "http://me:s3cret99@127.0.0.1:1",
    });
    const text = `p@ss word ${encodeURIComponent("p@ss word")} ${Buffer.from("u:p@ss word").toString("base64")} s3cret99`;
    assert.equal(redact(text, secrets), "[secret] [secret] [secret] [secret]");
  });

  it("reports findings of program time as check failures, without the secret's property name", async () => {
    const p = provider({});
    const result = await p.check?.(
      {},
      {
        ...inputs,
        problems: [
          { code: "FILE_UNREADABLE", text: "registry.caCertPath: no such file" },
          { code: "ARGUMENTS_INVALID", text: "hunter22 is short" },
        ],
      },
    );
    assert.deepEqual(result?.failures, [
      { property: "", reason: "registry.caCertPath: no such file [FILE_UNREADABLE]" },
      { property: "", reason: "[secret] is short [ARGUMENTS_INVALID]" },
    ]);
  });

  it("ends every error with its code, once, whichever operation it comes from", async () => {
    const fail = (): never => {
      throw new MirrorError("IGNORE_CHANGES", "name both", { reasons: ["a reason"] });
    };
    const rejects = () => Promise.resolve().then(fail);
    const p = provider({ check: fail, diff: fail, create: rejects, read: rejects, update: rejects, delete: rejects });
    const told = { message: "name both [IGNORE_CHANGES]\n  - a reason" };
    await assert.rejects(async () => p.diff?.("1", inputs, inputs), told);
    await assert.rejects(p.create(inputs), told);
    await assert.rejects(async () => p.read?.("1", inputs), told);
    await assert.rejects(async () => p.update?.("1", inputs, inputs), told);
    await assert.rejects(async () => p.delete?.("1", inputs), told);
    assert.deepEqual((await p.check?.(inputs, inputs))?.failures, [
      { property: "", reason: "name both [IGNORE_CHANGES]" },
    ]);
    assert.equal(textWithCode(new RolloutError("ROLLOUT_ROLE_TWICE", "twice")), "twice [ROLLOUT_ROLE_TWICE]");
    assert.equal(textWithCode(new MirrorError("NODE_OWNED", "a list [A]")), "a list [A] [NODE_OWNED]");
  });

  it("B7: read says gone only when the operation does", async () => {
    const gone = provider({ read: () => Promise.resolve("gone") });
    assert.deepEqual(await gone.read?.("1", inputs), {});
    const there = provider({ read: (_id, o) => Promise.resolve({ outs: o }) });
    const read = await there.read?.("1", inputs);
    assert.equal(read?.id, "1");
    assert.equal(Object.hasOwn(read ?? {}, "inputs"), false);
  });
});

describe("plain values", () => {
  it("finds unknowns at any depth", () => {
    assert.equal(holdsUnknown({ a: [{ b: unknownValue }] }), true);
    assert.equal(holdsUnknown({ a: [1, "x", null] }), false);
  });
  it("compares without regard to key order and undefined", () => {
    assert.equal(sameValue({ a: 1, b: undefined, c: [2] }, { c: [2], a: 1 }), true);
    assert.equal(sameValue({ c: [1, 2] }, { c: [2, 1] }), false);
  });
});

describe("errors", () => {
  it("instanceof holds across two copies of the package, subclasses by name", () => {
    class RegistryError extends MirrorError {}
    const foreign = Object.assign(new Error("x"), { [Symbol.for("pulumi-registry-mirror.error")]: true });
    assert.equal(foreign instanceof MirrorError, true);
    assert.equal(foreign instanceof RegistryError, false);
    assert.equal(new RegistryError("REGISTRY_DENIED", "b") instanceof RegistryError, true);
    assert.equal(new Error("x") instanceof MirrorError, false);
  });
});
