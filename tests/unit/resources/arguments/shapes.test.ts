import assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { unknownValue } from "../../../../provider/pulumi/plainValue";
import { nodeContainerd } from "../../../../provider/resources/node/operations";
import { MirroredCluster } from "../../../../sdk/cluster/mirroredCluster";
import { RegistryMirror } from "../../../../sdk/mirror/registryMirror";
import { NodeContainerd } from "../../../../sdk/node/nodeContainerd";
import { ImagePushSet } from "../../../../sdk/pushSet/imagePushSet";
import type { Plain } from "./support";
import { images, node, problemsOf, push, settings, source } from "./support";

const secret = "a-secret-value-77";

/** What a resource sends the provider's side, secrets as such. */
async function inputsOf(Type: new (name: string, args: never) => pulumi.Resource, args: unknown): Promise<Plain> {
  let inputs: Plain = {};
  await pulumi.runtime.setMocks({
    newResource: ({ name, inputs: given }) => {
      inputs = given as Plain;
      return { id: name, state: inputs };
    },
    call: () => ({}),
  });
  new Type("r", args as never);
  await pulumi.runtime.disconnect();
  return inputs;
}

function withoutSecrets(value: unknown): unknown {
  if (typeof value !== "object" || value === null || pulumi.runtime.isRpcSecret(value)) {
    return pulumi.runtime.isRpcSecret(value) ? "secret" : value;
  }
  return Array.isArray(value)
    ? value.map(withoutSecrets)
    : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withoutSecrets(one)]));
}

interface Argument {
  name: string;
  make: (value: unknown) => Plain;
  bad: unknown[];
}

const required: unknown[] = [undefined, null, "", 7, { a: 1 }];
const text: unknown[] = [null, "", 7, { a: 1 }];
const given: unknown[] = [null, 7, { a: 1 }];
const flag: unknown[] = [null, "yes", 1];
const texts: unknown[] = [null, "gcr.io", [undefined], ["a.io", ""], [7]];

const pushSet: Argument[] = [
  { name: "source", make: (source) => push({ source }), bad: [...required, ["a.tar", undefined], [""]] },
  { name: "source.images", make: (images) => push({ source: { images } }), bad: [null, "a", [7], [""]] },
  { name: "source.platforms", make: (platforms) => push({ source: { images, platforms } }), bad: [7, "linux", [7]] },
  { name: "source.registries", make: (registries) => push({ source: { images, registries } }), bad: [null, 7] },
  { name: 'registries["h.io"]', make: (h) => push({ source: { images, registries: { "h.io": h } } }), bad: [null, 7] },
  {
    name: 'registries["h.io"].endpoint',
    make: (endpoint) => push({ source: { images, registries: { "h.io": { endpoint } } } }),
    bad: text,
  },
  {
    name: 'registries["h.io"].password',
    make: (password) => push({ source: { images, registries: { "h.io": { password } } } }),
    bad: [null, 7],
  },
  {
    name: 'source.registries["h.io"].caCert',
    make: (caCert) => push({ source: { images, registries: { "h.io": { caCert } } } }),
    bad: text,
  },
  {
    name: 'source[1].registries["h.io"].caCertPath',
    make: (caCertPath) => push({ source: ["a.tar", { images, registries: { "h.io": { caCertPath } } }] }),
    bad: text,
  },
  {
    name: "registry[1].caCert",
    make: (caCert) => ({ ...push(), registry: [{ endpoint: "a.example" }, { endpoint: "b.example", caCert }] }),
    bad: text,
  },
  { name: "registry.endpoint", make: (endpoint) => push({}, { endpoint }), bad: required },
  { name: "registry.caCert", make: (caCert) => push({}, { caCert }), bad: text },
  { name: "registry.caCertPath", make: (caCertPath) => push({}, { caCertPath }), bad: text },
  { name: "registry.username", make: (username) => push({}, { username }), bad: text },
  { name: "registry.password", make: (password) => push({}, { username: "u", password }), bad: given },
  { name: "registry.dockerConfigPath", make: (dockerConfigPath) => push({}, { dockerConfigPath }), bad: text },
  { name: "registry.proxy", make: (proxy) => push({}, { proxy }), bad: text },
  { name: "registry.insecure", make: (insecure) => push({}, { insecure }), bad: flag },
  { name: "include", make: (include) => push({ include }), bad: texts },
  { name: "exclude", make: (exclude) => push({ exclude }), bad: texts },
  { name: "probeRepository", make: (probeRepository) => push({ probeRepository }), bad: [null, "", true, 7] },
  { name: "check", make: (check) => push({ check }), bad: [null, "", "all", true] },
  { name: "deleteImages", make: (deleteImages) => push({ deleteImages }), bad: flag },
  { name: "spoolDir", make: (spoolDir) => push({ spoolDir }), bad: text },
  { name: "maxDecodedBytes", make: (maxDecodedBytes) => push({ maxDecodedBytes }), bad: [null, "1", 0, Number.NaN] },
];

const mirror: Argument[] = [
  { name: "registryMirrors[0].endpoint", make: (endpoint) => settings({ endpoint }), bad: required },
  { name: "registryMirrors[0].caCert", make: (caCert) => settings({ caCert }), bad: given },
  { name: "registryMirrors[0].caCertPath", make: (caCertPath) => settings({ caCertPath }), bad: given },
  { name: "registryMirrors[0].hosts", make: (hosts) => settings({ hosts }), bad: texts },
  { name: "registryMirrors[0].skipFallback", make: (skipFallback) => settings({ skipFallback }), bad: flag },
  { name: "registryMirrors[0].insecure", make: (insecure) => settings({ insecure }), bad: flag },
  {
    name: "registryMirrors[0].dialTimeout",
    make: (dialTimeout) => settings({ dialTimeout }),
    bad: [null, "1", Number.NaN],
  },
  { name: "registryMirrors[0].username", make: (username) => settings({ username, password: secret }), bad: text },
  { name: "registryMirrors[0].password", make: (password) => settings({ username: "u", password }), bad: given },
  {
    name: "registryMirrors[0].pullCredentialConfigPath",
    make: (path) => settings({ pullCredentialConfigPath: path }),
    bad: given,
  },
  {
    name: "privateRegistries[0].host",
    make: (host) => settings({}, { privateRegistries: [{ host, username: "u", password: secret }] }),
    bad: required,
  },
  { name: "gcrKeyPath", make: (gcrKeyPath) => settings({}, { gcrKeyPath }), bad: text },
  { name: "gcrKey", make: (gcrKey) => settings({}, { gcrKey }), bad: text },
  { name: "hostsDir", make: (hostsDir) => settings({}, { hostsDir }), bad: text },
  { name: "checkEndpoints", make: (checkEndpoints) => settings({}, { checkEndpoints }), bad: flag },
];

const connectionText = ["user", "privateKeyPath", "privateKey", "agentSocketPath", "hostKey", "knownHostsPath"];
const places = { configPath: "/o/c.toml", hostsDir: "/o/certs.d", socketPath: "/run/o.sock", unit: "o@1.service" };
const nodes: Argument[] = [
  { name: "connection.host", make: (host) => node({ host }), bad: required },
  ...connectionText.map((field) => ({
    name: `connection.${field}`,
    make: (value: unknown) => node({ [field]: value }),
    bad: text,
  })),
  ...["password", "sudoPassword", "privateKeyPassword"].map((field) => ({
    name: `connection.${field}`,
    make: (value: unknown) => node({ [field]: value }),
    bad: given,
  })),
  { name: "connection.port", make: (port) => node({ port }), bad: [null, "22", 0, 70000] },
  { name: "connection.perDialTimeout", make: (perDialTimeout) => node({ perDialTimeout }), bad: [null, "5", 0] },
  { name: "connection.dialErrorLimit", make: (dialErrorLimit) => node({ dialErrorLimit }), bad: [null, "5", 1.5] },
  {
    name: "connection.insecureIgnoreHostKey",
    make: (insecureIgnoreHostKey) => node({ insecureIgnoreHostKey }),
    bad: flag,
  },
  { name: "connection.proxy.host", make: (host) => node({ proxy: { host } }), bad: required },
  { name: "mirror.hosts", make: (hosts) => node({}, { mirror: { ...source, hosts } }), bad: [undefined, null, "x"] },
  { name: "mirror.files", make: (files) => node({}, { mirror: { ...source, files } }), bad: [undefined, null, "x"] },
  { name: "images", make: (images) => node({}, { images }), bad: [null, "x"] },
  { name: "verify.images", make: (images) => node({}, { verify: { images } }), bad: [null, "some", -1, [undefined]] },
  { name: "verify.onFailure", make: (onFailure) => node({}, { verify: { onFailure } }), bad: [null, "", "ignore"] },
  { name: "prepull", make: (prepull) => node({}, { prepull }), bad: [null, "pushed", 7, []] },
  { name: "prepull.images", make: (images) => node({}, { prepull: { images } }), bad: [undefined, null, "running", 7] },
  {
    name: "prepull.maxParallel",
    make: (maxParallel) => node({}, { prepull: { images: [], maxParallel } }),
    bad: [null, "3", 0, 1.5],
  },
  {
    name: "prepull.onFailure",
    make: (onFailure) => node({}, { prepull: { images: [], onFailure } }),
    bad: [null, "", "ignore"],
  },
  { name: "verify.coverage", make: (coverage) => node({}, { verify: { coverage } }), bad: [null, "", true, "ignore"] },
  { name: "configStyle", make: (configStyle) => node({}, { configStyle }), bad: [null, "", "toml"] },
  { name: "layout", make: (layout) => node({}, { layout }), bad: [null, "", "k8s", 7, [""]] },
  ...["configPath", "hostsDir", "socketPath"].map((field) => ({
    name: `layout.${field}`,
    make: (value: unknown) => node({}, { layout: { ...places, [field]: value } }),
    bad: [undefined, null, "", 7, "etc/x", "/a/../b", "/a/", "/a b", "/a:b"],
  })),
  {
    name: "layout.unit",
    make: (unit) => node({}, { layout: { ...places, unit } }),
    bad: [undefined, null, "", 7, "a b", "x.timer", "x;y"],
  },
  { name: "criTimeout", make: (criTimeout) => node({}, { criTimeout }), bad: [null, "120", 0] },
  { name: "forgetUnreachable", make: (forgetUnreachable) => node({}, { forgetUnreachable }), bad: flag },
  { name: "adopt", make: (adopt) => node({}, { adopt }), bad: flag },
  { name: "hold", make: (hold) => node({}, { hold }), bad: flag },
];

const resources: [string, new (name: string, args: never) => pulumi.Resource, Argument[]][] = [
  ["ImagePushSet", ImagePushSet, pushSet],
  ["RegistryMirror", RegistryMirror, mirror],
  ["NodeContainerd", NodeContainerd, nodes],
];

describe("values of arguments, as a program without a compiler gives them, and as outputs turn out", () => {
  for (const [type, Type, all] of resources) {
    for (const { name, make, bad } of all) {
      it(`${type} ${name}: ${bad.map((value) => JSON.stringify(value) ?? "undefined").join(", ")}`, async () => {
        for (const value of bad) {
          for (const later of [false, true]) {
            if (!later && value === undefined && name.startsWith("mirror.")) {
              continue;
            }
            const problems = await problemsOf(Type, make(later ? pulumi.output(Promise.resolve(value)) : value));
            const about = problems.filter((problem) => problem.includes(name));
            assert.ok(
              about.length > 0,
              `${JSON.stringify(value)}, ${later ? "an output" : "plain"}: ${problems.join(" | ") || "no problem"}`,
            );
            assert.match(about[0] ?? "", /: it is .*; give |"[^"]*"|leave/, "the value and the way out");
            assert.ok(!problems.join().includes(secret) && !problems.join().includes("Cannot read"), problems.join());
          }
        }
      });
    }
  }

  it("what was right stays right, and what is optional may be undefined, plain or as an output", async () => {
    const nothing = pulumi.output(Promise.resolve(undefined));
    assert.deepEqual(
      await problemsOf(
        RegistryMirror,
        settings({ caCertPath: nothing, hosts: nothing }, { gcrKeyPath: nothing, hostsDir: nothing }),
      ),
      [],
    );
    assert.deepEqual(await problemsOf(RegistryMirror, settings({ caCertPath: "", pullCredentialConfigPath: "" })), []);
    assert.deepEqual(
      await problemsOf(
        NodeContainerd,
        node(
          { port: 22, user: "root" },
          { probe: nothing, images: nothing, criTimeout: 5, prepull: { images: [], maxParallel: nothing } },
        ),
      ),
      [],
    );
    for (const layout of [
      nothing,
      "auto",
      "containerd",
      places,
      pulumi.output(Promise.resolve({ ...places, unit: "o" })),
    ]) {
      assert.deepEqual(await problemsOf(NodeContainerd, node({}, { layout })), []);
    }
    assert.deepEqual(await problemsOf(NodeContainerd, node({ privateKeyPath: nothing, hostKey: undefined })), []);
    // That there is no such package is for the provider's check to say.
    assert.deepEqual(
      await problemsOf(
        ImagePushSet,
        push({ include: nothing, probeRepository: false }, { caCert: nothing, proxy: nothing }),
      ),
      [],
    );
  });

  it("what is not known yet is passed over in a preview", async () => {
    const checked = await nodeContainerd.check?.(
      {},
      {
        connection: { host: unknownValue, port: unknownValue },
        declared: { mirror: unknownValue, files: unknownValue, verify: unknownValue },
        credentials: unknownValue,
      },
    );
    assert.deepEqual(checked?.failures ?? [], []);
  });

  it("credentials that are given and turn out to be nothing are an error: the files that go to nodes count on them", async () => {
    const nothing = pulumi.output(Promise.resolve(undefined));
    assert.match(
      (await problemsOf(RegistryMirror, settings({ username: nothing, password: nothing }))).join(),
      /registryMirrors\[0\]: credentials are given/,
    );
    assert.match(
      (
        await problemsOf(RegistryMirror, settings({ pullCredentialConfigPath: pulumi.output(Promise.resolve("")) }))
      ).join(),
      /is empty/,
    );
  });

  for (const [type, Type] of [...resources, ["MirroredCluster", MirroredCluster]] as [
    string,
    new (name: string, args: never) => pulumi.Resource,
  ][]) {
    it(`${type}: no arguments at all`, async () => {
      for (const args of [undefined, {}, "text"]) {
        assert.match((await problemsOf(Type, args)).join(), /: it is undefined; give /);
      }
    });
  }

  it("ImagePushSet: one object may say registry and mirror, and whole registries and lists may be outputs", async () => {
    assert.deepEqual(await problemsOf(ImagePushSet, push({}, { hosts: ["gcr.io"], skipFallback: true })), []);
    const later = (value: unknown): unknown => pulumi.output(Promise.resolve(value));
    const registry = { endpoint: "172.18.0.20:5000" };
    for (const given of [later(registry), later([registry]), [later(registry), { endpoint: "172.18.0.21:5000" }]]) {
      assert.deepEqual(await problemsOf(ImagePushSet, push({ registry: given })), []);
    }
    assert.match(
      (await problemsOf(ImagePushSet, push({ registry: later("x") }))).join(),
      /registry: it is "x"; give an object/,
    );
    const twice = (await problemsOf(ImagePushSet, push({ registry: later([registry, registry]) }))).join();
    assert.match(twice, /are the same place/);
    const slip = { images: ["a b"], registries: { "h.io": { pasword: "x" } } };
    for (const source of [later(slip), { ...slip, registries: later(slip.registries) }]) {
      assert.match((await problemsOf(ImagePushSet, push({ source }))).join(), /registries\["h\.io"\]\.pasword/);
    }
  });

  it("ImagePushSet: a password in an output that is no secret is made one all the same", async () => {
    const open = { endpoint: "172.18.0.20:5000", username: "u", password: secret };
    for (const args of [
      push({ registry: pulumi.output(open) }),
      push({ source: pulumi.output({ images: ["a b"], registries: { "h.io": { username: "u", password: secret } } }) }),
      push({ source: { images: ["a b"], registries: pulumi.output({ "h.io": { username: "u", password: secret } }) } }),
    ]) {
      assert.ok(!JSON.stringify(withoutSecrets(await inputsOf(ImagePushSet, args))).includes(secret));
    }
  });

  it("ImagePushSet: no key at all is no list of keys", async () => {
    assert.match(
      (await problemsOf(ImagePushSet, push({ requireSigned: [] }))).join(),
      /requireSigned: it is an empty list/,
    );
  });

  it("ImagePushSet: what has to be an object is shown as one", async () => {
    const way = /registry: it is "10\.0\.0\.5:5000"; give an object, \{ endpoint: "HOST:PORT" \} and how it is reached/;
    assert.match((await problemsOf(ImagePushSet, { source: "a", registry: "10.0.0.5:5000" })).join(), way);
    assert.match(
      (await problemsOf(ImagePushSet, { source: "a", registry: [null] })).join(),
      /registry\[0\]: it is null/,
    );
  });

  it("MirroredCluster: what decides which resources there are", async () => {
    for (const clusterConfig of [null, "", 7, ["x"], pulumi.output("a.yaml")]) {
      assert.match(
        (await problemsOf(MirroredCluster, { clusterConfig })).join(),
        /^clusterConfig: it is .*; give the path/,
      );
    }
    for (const field of [
      "clusterName",
      "images",
      "registryMirrors",
      "privateRegistries",
      "skipFallback",
      "dialTimeout",
      "connection",
      "nodes",
      "rollout",
      "mirror",
    ]) {
      assert.match(
        (await problemsOf(MirroredCluster, { clusterConfig: "a.yaml", [field]: null })).join(),
        new RegExp(`${field}: it is null; give .*, or leave it out`),
      );
    }
  });
});
