import assert from "node:assert/strict";

import type { DesiredHost } from "../../../../provider/containerd/desired";
import type { GivenPrepull } from "../../../../provider/resources/node/prepull";
import { showPrepull } from "../../../../provider/resources/node/prepull";
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

  it("prepull: the pushed images or names, with the digests that are known; never without a verification", () => {
    const prepullOf = (prepull: GivenPrepull): unknown => {
      const { value, problems } = read(stateVerify({ images: images as never, hosts, prepull }));
      return problems ?? (value as { prepull?: unknown }).prepull;
    };
    const pushed = images.map(({ source, digest }) => ({ image: source, digest }));
    assert.deepEqual(prepullOf({ images: "pushed", onFailure: "warn" }), { images: pushed });
    assert.deepEqual(prepullOf({ images: ["gcr.io/b:1", "quay.io/c:1"], maxParallel: 5, onFailure: "error" }), {
      images: [pushed[1], { image: "quay.io/c:1" }],
      maxParallel: 5,
      onFailure: "error",
    });
    const said = (text: string): string =>
      read(text)
        .problems?.map((one) => one.text)
        .join() ?? "";
    assert.match(said(stateVerify({ hosts, prepull: { images: ["no name"] } })), /no name/);
    assert.match(said(stateVerify({ hosts, prepull: { images: "pushed" } })), /no images are given; give images/);
    assert.match(said(stateVerify(false, { images: "pushed" })), /^prepull: it follows the verification/);
    // In the state a few bytes, however many there are.
    const shown = (digest: string) =>
      showPrepull({ images: Array.from({ length: 60 }, (_, n) => ({ image: `gcr.io/a/b${n}:1`, digest })) }).images;
    assert.match(shown("sha256:a"), /^60 images, [\w-]{20,}$/);
    assert.notEqual(shown("sha256:a"), shown("sha256:b"));
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
