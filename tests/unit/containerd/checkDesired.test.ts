import assert from "node:assert/strict";

import { ContainerdError } from "../../../provider/containerd/containerdError";
import type { DesiredHost } from "../../../provider/containerd/desired";
import { checkDesired } from "../../../provider/containerd/plan/checkDesired";
import { direct, host, mirror } from "./renderCases";

const a = mirror("https://a.example:5000");

/** Declaration, code, and what the message must say. */
const refused: [string, DesiredHost[], string, RegExp][] = [
  [
    "a host twice",
    [host("gcr.io", [a]), host("gcr.io", [mirror("https://b.example:5000")])],
    "CONTAINERD_CONFLICT",
    /gcr\.io is declared twice; list it once/,
  ],
  [
    "a mirror twice for a host",
    [host("gcr.io", [a, a])],
    "CONTAINERD_CONFLICT",
    /gcr\.io lists the mirror https:\/\/a\.example:5000 twice/,
  ],
  [
    "one place with and without TLS",
    [host("gcr.io", [a]), host("x.io", [mirror("http://a.example:5000")])],
    "CONTAINERD_CONFLICT",
    /one place \(a\.example:5000\) but differ in scheme/,
  ],
  [
    "one place with two credentials",
    [host("gcr.io", [a]), host("x.io", [mirror("https://a.example:5000/v2/n", { credential: true })])],
    "CONTAINERD_CONFLICT",
    /differ in credentials/,
  ],
  [
    "one place with and without a CA",
    [host("gcr.io", [a]), host("x.io", [mirror("https://a.example:5000/v2/n", { ca: true })])],
    "CONTAINERD_CONFLICT",
    /differ in caCertPath/,
  ],
  ["a wildcard", [host("*", [a])], "CONTAINERD_DESIRED", /"\*": write "_default"/],
  [
    "Docker Hub by its server",
    [host("registry-1.docker.io", [a])],
    "CONTAINERD_DESIRED",
    /calls Docker Hub "docker\.io"/,
  ],
  ["a URL for a host", [host("https://gcr.io", [a])], "CONTAINERD_DESIRED", /only the host's name belongs here/],
  ["a path in a host", [host("gcr.io/project", [a])], "CONTAINERD_DESIRED", /without a path/],
  ["a path that leaves the directory", [host("..", [a])], "CONTAINERD_DESIRED", /not a host name/],
  ["upper case", [host("GCR.io", [a])], "CONTAINERD_DESIRED", /write it in lower case, gcr\.io/],
  [
    "IPv6 without brackets",
    [host("2001:db8::1", [a])],
    "CONTAINERD_DESIRED",
    /write an IPv6 address in brackets, \[2001:db8::1\]/,
  ],
  ["a port out of range", [host("x.io:70000", [a])], "CONTAINERD_DESIRED", /70000 is not a port/],
  ["an empty host", [host("", [a])], "CONTAINERD_DESIRED", /not a host name/],
  ["no mirror", [host("gcr.io", [])], "CONTAINERD_DESIRED", /gcr\.io has no mirror/],
  [
    "a mirror without a scheme",
    [host("gcr.io", [{ endpoint: "a.example:5000" }])],
    "CONTAINERD_DESIRED",
    /"a\.example:5000" for gcr\.io is not a URL like/,
  ],
  ["another scheme", [host("gcr.io", [{ endpoint: "ftp://a.example" }])], "CONTAINERD_DESIRED", /is not a URL like/],
  [
    "http with a CA",
    [host("gcr.io", [mirror("http://a.example:5000", { ca: true })])],
    "CONTAINERD_DESIRED",
    /is http and has a CA certificate/,
  ],
  [
    "insecure with a CA",
    [host("gcr.io", [mirror("https://a.example:5000", { ca: true, insecure: true })])],
    "CONTAINERD_DESIRED",
    /insecure and has a CA certificate/,
  ],
  [
    "a host as its own mirror",
    [host("gcr.io", [mirror("https://gcr.io")])],
    "CONTAINERD_DESIRED",
    /gcr\.io has itself as its mirror/,
  ],
  [
    "C14: a private registry with nothing",
    [direct(host("x.io", []), {})],
    "CONTAINERD_DESIRED",
    /x\.io has neither a CA nor credentials/,
  ],
  [
    "C14: every host as a private registry",
    [direct(host("_default", []), { ca: true })],
    "CONTAINERD_DESIRED",
    /_default is no private registry/,
  ],
  [
    "C14: a private registry's CA outside of the root",
    [{ ...host("x.io", []), access: { caPath: "/a/../b" } }],
    "CONTAINERD_DESIRED",
    /must be absolute, not "\/a\/\.\.\/b"/,
  ],
  [
    "C14: a private registry that is never asked",
    [direct(host("x.io", [a], true), { ca: true })],
    "CONTAINERD_CONFLICT",
    /x\.io is never asked: it is mirrored with skipFallback/,
  ],
  [
    "C14: a mirror's address with a CA that the mirror has not",
    [host("gcr.io", [a]), direct(host("a.example:5000", []), { ca: true })],
    "CONTAINERD_CONFLICT",
    /a\.example:5000 is the mirror .* give them to the mirror/,
  ],
  [
    "C14: Docker Hub's server as a mirror without the credential",
    [host("gcr.io", [mirror("https://registry-1.docker.io")]), direct(host("docker.io", []), { credential: true })],
    "CONTAINERD_CONFLICT",
    /docker\.io is the mirror https:\/\/registry-1\.docker\.io/,
  ],
  [
    "a wait without an end",
    [host("gcr.io", [mirror("https://a.example:5000", { dialTimeout: Infinity })])],
    "CONTAINERD_DESIRED",
    /dialTimeout .* is not a number of seconds from 0\.01 to 30/,
  ],
  [
    "a relative CA path",
    [host("gcr.io", [{ ...a, caPath: "ca.crt" }])],
    "CONTAINERD_DESIRED",
    /must be absolute, not "ca\.crt"/,
  ],
];

describe("checkDesired", () => {
  for (const [name, hosts, code, message] of refused) {
    it(`refuses ${name}, and says what to write`, () => {
      assert.throws(
        () => checkDesired(hosts),
        (error: unknown) => {
          assert(error instanceof ContainerdError);
          assert.equal(error.code, code);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  it("tells all findings at once", () => {
    assert.throws(
      () => checkDesired([host("*", [a]), host("GCR.io", [a, a])]),
      (error: unknown) => {
        assert(error instanceof ContainerdError);
        assert.equal(error.reasons.length, 3);
        return true;
      },
    );
  });

  it("never repeats a password that was put into an endpoint", () => {
    assert.throws(
      () => checkDesired([host("gcr.io", [{ endpoint: "https://user:hunter2@a.example:5000" }])]),
      (error: unknown) => {
        assert(error instanceof ContainerdError);
        assert(!JSON.stringify([error.message, error.reasons]).includes("hunter2"));
        return true;
      },
    );
  });

  for (const name of [
    "gcr.io",
    "otherhost.io:8443",
    "localhost:5000",
    "[::1]:5000",
    "10.168.15.224:5007",
    "_default",
    "docker.io",
    "a-b.c-d.example",
  ]) {
    it(`takes ${name}`, () => checkDesired([host(name, [a])]));
  }

  it("takes one mirror for many hosts, and one place under two namespaces", () => {
    checkDesired([
      host("gcr.io", [mirror("https://a.example:5000/v2/one")]),
      host("x.io", [mirror("https://a.example:5000/v2/two")]),
    ]);
  });
});
