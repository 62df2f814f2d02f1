import assert from "node:assert/strict";

import type { Problem } from "../../../../provider/model/problem";
import type { NodeConnection } from "../../../../provider/node";
import { layOutHosts } from "../../../../provider/resources/mirror/hosts";
import { NodeAddresses } from "../../../../provider/resources/node/addresses";
import { connectionProblems } from "../../../../provider/resources/node/connectionProblems";
import { readVerify } from "../../../../provider/resources/node/shownVerify";

describe("codes of what is declared for a node", () => {
  const code = (problems: Problem[]) => problems.map((problem) => problem.code);
  const connection = { host: "10.0.0.1", user: "root" } as NodeConnection;

  it("a connection that contradicts itself", () => {
    assert.deepEqual(code(connectionProblems({ ...connection, privateKey: "k", privateKeyPath: "p" })), ["NODE_KEY"]);
    const hostKey = { hostKey: "ssh-ed25519 AAAA", knownHostsPath: "k" };
    assert.deepEqual(code(connectionProblems({ ...connection, ...hostKey })), ["NODE_KNOWN_HOSTS"]);
    const none = { hostKey: "ssh-ed25519 AAAA", insecureIgnoreHostKey: true };
    assert.deepEqual(code(connectionProblems({ ...connection, ...none })), ["NODE_KNOWN_HOSTS"]);
  });

  it("a node that two resources declare", () => {
    const urn = (name: string) => `urn:pulumi:dev::p::t::${name}`;
    const addresses = new NodeAddresses();
    assert.deepEqual(addresses.twiceDeclared("codes.example:22", urn("a")), []);
    assert.deepEqual(code(addresses.twiceDeclared("codes.example:22", urn("b"))), ["NODE_TWICE"]);
  });

  it("a state that was edited", () => {
    assert.throws(() => readVerify({ images: [], probe: "no probe" }), {
      code: "VERIFY_TEXT",
    });
  });

  it("a hosts directory that is none", () => {
    assert.throws(() => layOutHosts([{ endpoint: "https://m.example:5000" }], "certs.d"), {
      code: "HOSTS_DIR_INVALID",
    });
  });
});
