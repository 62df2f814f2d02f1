import assert from "node:assert/strict";

import { resolveCredentials } from "../../../../provider/resources/mirror/credentials";
import { secretsOnly, withoutSecrets } from "../../../../provider/resources/mirror/declared";
import { resolveHosts } from "../../../../provider/resources/mirror/hosts";
import { endpointsOf, resolveCheckEndpoints, resolveHostsDir } from "../../../../provider/resources/mirror/settings";

const endpoint = "https://172.18.0.20:5000";

describe("arguments of a mirror, without a Pulumi program", () => {
  it("what everybody may see holds no secret, and both halves say whether there is one", () => {
    const entry = { endpoint, hosts: ["quay.io"], username: "u", password: "a-secret-value", other: "a-secret-value" };
    const open = withoutSecrets("registryMirrors", entry);
    assert.ok(!JSON.stringify(open).includes("secret"), JSON.stringify(open));
    assert.deepEqual([open["hosts"], open["withCredential"]], [["quay.io"], true]);
    const secrets = secretsOnly("registryMirrors", entry);
    assert.deepEqual(JSON.parse(JSON.stringify(secrets)), {
      endpoint,
      username: "u",
      password: "a-secret-value",
      withCredential: true,
    });
    // An empty path is how a cluster file says none.
    const registry = { host: "p.example:5007", pullCredentialConfigPath: "" };
    assert.equal(withoutSecrets("privateRegistries", registry)["withCredential"], false);
    assert.equal(secretsOnly("privateRegistries", registry)["host"], "p.example:5007");
  });

  it("hosts, or what is wrong with what they are made from", () => {
    const right = resolveHosts([{ endpoint }], "/etc/containerd/certs.d", []);
    assert.deepEqual(right.problems, []);
    assert.deepEqual(
      right.value?.hosts.map(({ host }) => host),
      ["gcr.io"],
    );
    const wrong = resolveHosts([{ endpoint: 7 as unknown as string }], "/etc/containerd/certs.d", []);
    assert.deepEqual([wrong.value, wrong.problems.map(({ code }) => code)], [undefined, ["ARGUMENTS_INVALID"]]);
    const empty = resolveHosts([], "/etc/containerd/certs.d", []);
    assert.deepEqual(
      empty.problems.map(({ code }) => code),
      ["MIRRORS_EMPTY"],
    );
  });

  it("credentials, or what is wrong with them, without one of them in it", async () => {
    const entry = { endpoint, username: "u", password: "a-secret-value" };
    assert.deepEqual(await resolveCredentials({ registryMirrors: [entry] }), {
      value: { "172.18.0.20:5000": { username: "u", password: "a-secret-value" } },
      problems: [],
    });
    const { password, ...half } = entry;
    for (const registryMirrors of [
      [half],
      [{ endpoint, password }],
      [{ ...entry, username: 7 as unknown as string }],
    ]) {
      const { value, problems } = await resolveCredentials({ registryMirrors });
      assert.equal(value, undefined);
      assert.equal(problems.length, 1);
      assert.ok(!JSON.stringify(problems).includes("secret"), JSON.stringify(problems));
    }
  });

  it("what is not given has its default, and a wrong value is told", () => {
    assert.deepEqual(resolveHostsDir(undefined), { value: "/etc/containerd/certs.d", problems: [] });
    assert.equal(resolveHostsDir("").problems[0]?.code, "ARGUMENTS_INVALID");
    assert.deepEqual(resolveCheckEndpoints(undefined), { value: true, problems: [] });
    assert.equal(resolveCheckEndpoints("no" as unknown as boolean).problems.length, 1);
    assert.deepEqual(endpointsOf([{ endpoint }]), { mirrors: [endpoint] });
    assert.deepEqual(endpointsOf([{ endpoint, insecure: true }]), { mirrors: [endpoint], insecure: [endpoint] });
  });
});
