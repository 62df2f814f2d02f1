import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

import { checkHostCertificate, parseHostCertificate } from "../../../provider/node/ssh/hostCertificate";
import {
  algorithmsFor,
  fingerprint,
  formatHostKey,
  type HostKey,
  parseHostKey,
} from "../../../provider/node/ssh/hostKey";
import { hostsFieldMatches, lookUpKnownHosts, parseKnownHosts } from "../../../provider/node/ssh/knownHosts";
import { keys } from "./support/keys";

function key(text: string): HostKey {
  const parsed = parseHostKey(text);
  assert.ok(parsed);
  return parsed;
}

describe("host keys", () => {
  it("fingerprints as ssh-keygen -l prints them", () => {
    assert.equal(fingerprint(key(keys.plain).blob), "SHA256:xl7XpyNSNMQ/VUhlHrRLZSciEXGDQtF4DgdQlmbqu5k");
    assert.equal(fingerprint(key(keys.rsaPlain).blob), "SHA256:uc8/iYkX+I8ao+qSgYiUKjrtviI7dluEiM4ADpMG2io");
  });

  it("reads a key with or without a comment, writes it back, and refuses what says two types", () => {
    assert.equal(formatHostKey(key(`${keys.plain} root@node`).blob), keys.plain);
    assert.equal(parseHostKey(keys.plain.replace("ssh-ed25519", "ssh-rsa")), undefined);
    assert.equal(parseHostKey("ssh-ed25519"), undefined);
    assert.equal(parseHostKey("ssh-ed25519 ????"), undefined);
    assert.equal(parseHostKey("ssh-ed25519 AAAA"), undefined);
  });

  it("an RSA key is asked for by its SHA-2 names first (RFC 8332)", () => {
    assert.deepEqual(algorithmsFor("ssh-rsa"), ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]);
    assert.deepEqual(algorithmsFor("ssh-ed25519"), ["ssh-ed25519"]);
  });
});

describe("known_hosts", () => {
  const salt = Buffer.from("0123456789abcdefghij");
  const hash = (name: string) =>
    `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;

  const rows: [field: string, name: string, matches: boolean][] = [
    ["node-1", "node-1", true],
    ["node-1", "node-10", false],
    ["NODE-1", "node-1", true],
    ["node-1,10.0.0.4", "10.0.0.4", true],
    ["10.0.0.*", "10.0.0.4", true],
    ["10.0.0.?", "10.0.0.44", false],
    ["10.0.0.4", "10x0x0x4", false],
    ["*.example,!bad.example", "good.example", true],
    ["*.example,!bad.example", "bad.example", false],
    ["!bad.example", "good.example", false],
    ["[node-1]:2222", "[node-1]:2222", true],
    ["[node-1]:2222", "node-1", false],
    ["[node-1]:22", "node-1", true],
    ["[*]:2222", "[node-1]:2222", true],
    [hash("node-1"), "node-1", true],
    [hash("node-1"), "node-2", false],
    [hash("[node-1]:2222"), "[node-1]:2222", true],
    ["|1|broken", "node-1", false],
  ];
  for (const [field, name, matches] of rows) {
    it(`${field} ${matches ? "speaks" : "does not speak"} of ${name}`, () =>
      assert.equal(hostsFieldMatches(field, name), matches));
  }

  it("leaves out comments, blank lines, unknown markers and old protocol 1 lines", () => {
    const lines = parseKnownHosts(
      `# a comment\n\nnode-1 ${keys.plain} a comment\n@made-up * ${keys.plain}\nnode-1 1024 35 1234567\nnode-1\n@revoked * ${keys.rsaPlain}\r\n`,
    );
    assert.deepEqual(
      lines.map((l) => [l.marker, l.hosts, l.key.type]),
      [
        ["", "node-1", "ssh-ed25519"],
        ["@revoked", "*", "ssh-rsa"],
      ],
    );
  });

  it("a plain name's key is acceptable on another port, but is no claim about it", () => {
    const lines = parseKnownHosts(
      `node-1 ${keys.plain}\n@cert-authority node-1 ${keys.authority}\n@revoked node-1 ${keys.rsaPlain}\n`,
    );
    const found = lookUpKnownHosts(lines, "Node-1", 2222);
    assert.deepEqual(
      [found.keys.length, found.fallback.length, found.authorities.length, found.revoked.length],
      [0, 1, 1, 1],
    );
  });
});

describe("host certificates", () => {
  const now = new Date("2026-01-01T00:00:00Z");
  const check = (certificate: string, extra: Partial<Parameters<typeof checkHostCertificate>[1]> = {}) =>
    checkHostCertificate(key(certificate).blob, {
      host: "node-1.example",
      authorities: [key(keys.authority)],
      revoked: [],
      now,
      ...extra,
    });

  it("reads what ssh-keygen signed, and the plain key in it", () => {
    const parsed = parseHostCertificate(key(keys.byAuthority).blob);
    assert.equal(parsed.keyId, "node-1");
    assert.deepEqual(parsed.principals, ["node-1.example", "10.0.0.4"]);
    assert.equal(formatHostKey(parsed.key), keys.plain);
    assert.equal(formatHostKey(parseHostCertificate(key(keys.rsaByRsa).blob).key), keys.rsaPlain);
    assert.equal(formatHostKey(parseHostCertificate(key(keys.ecdsaByEcdsa).blob).key), keys.ecdsaPlain);
  });

  it("C9: is believed for its names, its time and a known authority: Ed25519, RSA and ECDSA", () => {
    assert.equal(check(keys.byAuthority), undefined);
    assert.equal(check(keys.byAuthority, { host: "10.0.0.4" }), undefined);
    assert.equal(check(keys.rsaByRsa, { authorities: [key(keys.rsaAuthority)] }), undefined);
    assert.equal(check(keys.ecdsaByEcdsa, { authorities: [key(keys.authority), key(keys.ecdsaAuthority)] }), undefined);
  });

  it("C9: is refused for another name, time or authority, for users, with critical options, revoked, or broken", () => {
    assert.match(
      check(keys.byAuthority, { host: "node-2.example" }) ?? "",
      /it is for node-1\.example, 10\.0\.0\.4, not for node-2\.example/,
    );
    assert.match(check(keys.byAuthority, { now: new Date("2035-01-01") }) ?? "", /valid from 2024.* to 2034/);
    assert.match(check(keys.byAuthority, { now: new Date("2020-01-01") }) ?? "", /valid from 2024/);
    assert.match(
      check(keys.byAuthority, { authorities: [key(keys.rsaAuthority)] }) ?? "",
      /its authority ssh-ed25519 SHA256:HRzjFf11PX639dl6B\+H9ggpkiEets66kavHY\+sYppB8 is not a known one/,
    );
    assert.match(check(keys.forUsers) ?? "", /user certificate/);
    assert.match(check(keys.critical) ?? "", /critical option made-up/);
    assert.match(check(keys.byAuthority, { revoked: [key(keys.plain)] }) ?? "", /@revoked/);
    assert.match(check(keys.byAuthority, { revoked: [key(keys.authority)] }) ?? "", /@revoked/);
  });

  it("C9: any changed byte is noticed", () => {
    const blob = key(keys.byAuthority).blob;
    for (let at = 36; at < blob.length; at += 7) {
      const changed = Buffer.from(blob);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const problem = checkHostCertificate(changed, {
        host: "node-1.example",
        authorities: [key(keys.authority)],
        revoked: [],
        now,
      });
      assert.notEqual(problem, undefined, `byte ${at}`);
    }
    for (let length = 0; length < blob.length; length += 13) {
      assert.notEqual(
        checkHostCertificate(blob.subarray(0, length), {
          host: "node-1.example",
          authorities: [key(keys.authority)],
          revoked: [],
          now,
        }),
        undefined,
      );
    }
  });
});
