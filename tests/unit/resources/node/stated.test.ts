import assert from "node:assert/strict";

import type { DesiredHost } from "../../../../provider/containerd/desired";
import { secretsOfConnection } from "../../../../provider/resources/node/shapes";
import { stateFiles, stateMirror, stateVerify } from "../../../../provider/resources/node/stated";
import { verificationIn } from "../../../../provider/resources/node/storedVerification";
import type { Stated } from "../../../../provider/resources/node/wire";
import { proven } from "../../sdk/proven";

const hosts: DesiredHost[] = [
  { host: "gcr.io", mirrors: [{ endpoint: "https://m.example:5000" }], skipFallback: false },
];
const images = ["a", "b"].map((name, size) => ({
  source: `gcr.io/${name}:1`,
  target: `m.example:5000/${name}:1`,
  digest: `sha256:${name}`,
  size,
}));
const read = (text: string): Stated<unknown> => JSON.parse(text) as Stated<unknown>;

describe("what a node's resource is sent, made without a Pulumi program", () => {
  it("the mirror with how each endpoint authenticates; its files apart", () => {
    const hostsDir = "/etc/containerd/certs.d";
    const endpoints = [{ endpoint: "https://m.example:5000", auth: "basic" as const, authenticated: true }];
    const stated = read(stateMirror({ hosts, hostsDir, endpoints, files: { a: "b" } }));
    assert.deepEqual(stated, { value: { hosts, hostsDir, auth: { "m.example:5000": "basic" } } });
    assert.equal(stateFiles({ b: "2", a: "1" }), '{"a":"1","b":"2"}');
    assert.equal(stateFiles(undefined), "{}");
  });

  it("a mirror that another stack does not have (yet) is a problem of the node", () => {
    const stated = read(stateMirror({} as Parameters<typeof stateMirror>[0]));
    assert.equal(stated.value, undefined);
    assert.deepEqual([...new Set(stated.problems?.map(({ code }) => code))], ["ARGUMENTS_INVALID"]);
    assert.match(stated.problems?.[0]?.text ?? "", /^mirror\.hosts: it is undefined; .*no such output \(yet\)/);
  });

  it("verification: the smallest image by default, none on demand, and a name that was not pushed", () => {
    const { value } = read(stateVerify({ images: images as never, hosts }));
    assert.deepEqual(
      (value as { images: { source: string }[] }).images.map(({ source }) => source),
      ["gcr.io/a:1"],
    );
    assert.deepEqual(read(stateVerify(false)), { value: false });
    const unknown = read(stateVerify({ images: images as never, selection: ["gcr.io/c:1"], hosts }));
    assert.match(unknown.problems?.[0]?.text ?? "", /gcr\.io\/c:1/);
    // Defaults are not in the state: what it says is compared at each run.
    const said = (coverage: "warn" | "error" | false): unknown =>
      (read(stateVerify({ hosts, coverage })).value as { coverage?: unknown }).coverage;
    assert.deepEqual([said("warn"), said("error"), said(false)], [undefined, "error", false]);
    const wrong = read(stateVerify({ hosts, onFailure: "ignore" as "warn" }));
    assert.match(wrong.problems?.[0]?.text ?? "", /^verify\.onFailure: it is "ignore"; give "error" or "warn"/);
  });

  it("which fields of a connection are secrets, whatever a program says", () => {
    assert.deepEqual([...secretsOfConnection].sort(), ["password", "privateKey", "privateKeyPassword", "sudoPassword"]);
  });

  it("a verification as the state has it", () => {
    const one = proven("n1");
    assert.equal(verificationIn(one, undefined), one);
    assert.equal(verificationIn(undefined, undefined), undefined);
    const text = JSON.stringify({ ...one, hosts: one.hosts.map(({ host, ...rest }) => ({ ...rest, hosts: [host] })) });
    assert.deepEqual(verificationIn(undefined, text), one);
  });
});
