import assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { MirrorError } from "../../../../provider/model/errors";
import { meantBy } from "../../../../provider/model/nearest";
import { readClusterFile } from "../../../../provider/resources/cluster/clusterFile";
import { planRollout, RolloutError } from "../../../../provider/resources/cluster/rollout";
import { inspectNode } from "../../../../provider/resources/node/inspect";
import { nodeContainerd } from "../../../../provider/resources/node/operations";
import { findImages } from "../../../../provider/resources/pushSet/manifestSources";
import { resolvePrune } from "../../../../provider/resources/pushSet/pruneWanted";
import { renderReportPage } from "../../../../provider/verify/page/renderReportPage";
import { renderReport } from "../../../../provider/verify/report";
import type { MirroredClusterArgs, NamedNode } from "../../../../sdk/cluster/mirroredCluster";
import { MirroredCluster } from "../../../../sdk/cluster/mirroredCluster";
import { inspectNode as inspectFrom } from "../../../../sdk/inspect/inspectNode";
import type { MirrorArgs, PrivateRegistryArgs, RegistryMirrorArgs } from "../../../../sdk/mirror/registryMirror";
import { RegistryMirror } from "../../../../sdk/mirror/registryMirror";
import type { ConnectionArgs } from "../../../../sdk/node/connection";
import type { LookArgs } from "../../../../sdk/node/look";
import type { NodeContainerdArgs, PrepullArgs, VerifyArgs } from "../../../../sdk/node/nodeContainerd";
import { NodeContainerd } from "../../../../sdk/node/nodeContainerd";
import { ImagePushSet } from "../../../../sdk/pushSet/imagePushSet";
import { imagesOn } from "../../../../sdk/pushSet/imagesOn";
import { reportPage } from "../../../../sdk/report/reportPage";
import { verificationReport } from "../../../../sdk/report/verificationReport";
import type { Plain } from "./support";
import { images, node, problemsOf, push, settings, source } from "./support";

const secret = "a-secret-value-77";
const later = (value: unknown): unknown => pulumi.output(Promise.resolve(value));
const cluster = (more: Plain = {}, own: Plain = {}, mirror: Plain = {}): Plain => ({
  nodes: [{ address: "10.0.0.4", ...own }],
  registryMirrors: [{ endpoint: "https://172.18.0.20:5000", ...mirror }],
  ...more,
});
const second = { endpoint: "https://172.18.0.21:5000", hosts: ["docker.io"] };

type Make = (value: unknown) => Plain;
/** A name that is no argument, what makes arguments with it, and what its sentence says. */
type Slip = [name: string, make: Make, says: RegExp];

const slips: [string, new (name: string, args: never) => pulumi.Resource, Slip[]][] = [
  [
    "ImagePushSet",
    ImagePushSet,
    [
      ["requiredSigned", (value) => push({ requiredSigned: value }), /did you mean requireSigned\?/],
      [
        "registry.user",
        (user) => push({}, { user }),
        /mean username\? There are endpoint, caCertPath, .*maxParallel\./,
      ],
      [
        "registry[0].user",
        (user) => push({ registry: [{ endpoint: "172.18.0.20:5000", user }] }),
        /did you mean username\?/,
      ],
      ["source.platform", (platform) => push({ source: { images, platform } }), /did you mean platforms\?/],
      [
        'registries["h"].pasword',
        (pasword) => push({ source: { images, registries: { h: { pasword } } } }),
        /mean password\?/,
      ],
      ["requireSigned.image", (image) => push({ requireSigned: { publicKey: "k", image } }), /did you mean images\?/],
      [
        "signature.key",
        (key) => push({ signature: { publicKey: "k", key } }),
        /give one of path, publicKey, publicKeyPath, or leave it out\./,
      ],
      ["prune.node", (one) => push({ prune: { keep: 1, node: one } }), /did you mean nodes\?/],
      [
        "prune.nodes[0].usr",
        (usr) => push({ prune: { keep: 1, nodes: [{ host: "10.0.0.4", usr }] } }),
        /did you mean user\?/,
      ],
      ["preview.lists", (lists) => push({ preview: { lists } }), /did you mean list\? There is list alone\.$/],
    ],
  ],
  [
    "RegistryMirror",
    RegistryMirror,
    [
      ["privateRegistry", (privateRegistry) => settings({}, { privateRegistry }), /did you mean privateRegistries\?/],
      ["skipFallback", (skipFallback) => settings({}, { skipFallback }), /give it to the entries of registryMirrors/],
      [
        "registryMirrors[0].hostz",
        (hostz) => settings({ hostz }),
        /did you mean hosts\? There are endpoint, caCertPath, .*, dialTimeout\./,
      ],
      [
        "registryMirrors[1].skipFallbacks",
        (value) =>
          settings({}, { registryMirrors: [{ endpoint: "https://a.io:1" }, { ...second, skipFallbacks: value }] }),
        /did you mean skipFallback\?/,
      ],
      ["registryMirrors[0].caCertSecretRef", (caCertSecretRef) => settings({ caCertSecretRef }), /give caCertPath/],
      ["registryMirrors[0].gcrKeyPath", (gcrKeyPath) => settings({ gcrKeyPath }), /stands beside registryMirrors/],
      [
        "registryMirrors[0].dockerConfigPath",
        (dockerConfigPath) => settings({ dockerConfigPath }),
        /a push set takes it, nodes do not: give pullCredentialConfigPath/,
      ],
      [
        "privateRegistries[0].pullCredentialPath",
        (value) => settings({}, { privateRegistries: [{ host: "a.io:1", caCert: "x", pullCredentialPath: value }] }),
        /did you mean pullCredentialConfigPath\?/,
      ],
      [
        "privateRegistries[0].endpoint",
        (endpoint) => settings({}, { privateRegistries: [{ host: "a.io:1", caCert: "x", endpoint }] }),
        /give host, the registry as it stands in image names/,
      ],
    ],
  ],
  [
    "NodeContainerd",
    NodeContainerd,
    [
      ["verfy", (verfy) => node({}, { verfy }), /did you mean verify\?/],
      ["connection.username", (username) => node({ username }), /did you mean user\?/],
      ["connection.privateKeyFile", (privateKeyFile) => node({ privateKeyFile }), /did you mean privateKeyPath\?/],
      ["connection.proxy.hots", (hots) => node({ proxy: { host: "b", hots } }), /did you mean host\?/],
      ["verify.onFail", (onFail) => node({}, { verify: { onFail } }), /did you mean onFailure\?/],
      [
        "prepull.maxParalell",
        (value) => node({}, { prepull: { images: [], maxParalell: value } }),
        /mean maxParallel\?/,
      ],
      ["look.onProblems", (onProblems) => node({}, { look: { onProblems } }), /did you mean onProblem\?/],
      [
        "layout.socket",
        (socket) =>
          node({}, { layout: { configPath: "/c.toml", hostsDir: "/h", socketPath: "/s", unit: "u", socket } }),
        /did you mean socketPath\?/,
      ],
    ],
  ],
  [
    "MirroredCluster",
    MirroredCluster,
    [
      ["rollouts", (rollouts) => cluster({ rollouts }), /did you mean rollout\?/],
      ["hold", (hold) => cluster({ hold }), /rollout\.only says which nodes take part/],
      ["registryMirrors[0].host", (host) => cluster({}, {}, { host }), /did you mean hosts\?/],
      ["connection.usr", (usr) => cluster({ connection: { usr } }), /did you mean user\?/],
      ["connection.host", (host) => cluster({ connection: { host } }), /each node has its own/],
      ["rollout.canry", (canry) => cluster({ rollout: { canry } }), /did you mean canary\?/],
      ["verify.covrage", (covrage) => cluster({ verify: { covrage } }), /did you mean coverage\?/],
      ["prepull.image", (image) => cluster({ prepull: { images: [], image } }), /did you mean images\?/],
      ["look.time", (time) => cluster({ look: { time } }), /did you mean timeout\?/],
      ["images.image", (image) => cluster({ images: { images: [], image } }), /did you mean images\?/],
      ["nodes[0].rol", (rol) => cluster({}, { rol }), /did you mean role\?/],
      ["nodes[0].connection.prot", (prot) => cluster({}, { connection: { prot } }), /did you mean port\?/],
      ["nodes[0].verify.image", (image) => cluster({}, { verify: { image } }), /did you mean images\?/],
      [
        'nodes["10.0.0.4"].connections',
        (connections) => cluster({ nodes: { "10.0.0.4": { connections } } }),
        /did you mean connection\?/,
      ],
    ],
  ],
];

// All there are, held together with the types by the compiler: who adds an argument adds it here and to the names.
const mirrorArgs: Required<MirrorArgs> = {
  endpoint: "https://172.18.0.20:5000",
  caCertPath: "",
  caCert: "",
  pullCredentialConfigPath: "",
  username: "u",
  password: "p",
  hosts: [],
  skipFallback: true,
  insecure: true,
  dialTimeout: 1,
};
const privateArgs: Required<PrivateRegistryArgs> = {
  host: "a.io:1",
  caCertPath: "",
  caCert: "",
  pullCredentialConfigPath: "",
  username: "u",
  password: "p",
};
const registryMirrorArgs: Required<RegistryMirrorArgs> = {
  registryMirrors: [mirrorArgs],
  privateRegistries: [privateArgs],
  gcrKeyPath: "k",
  gcrKey: "k",
  hostsDir: "/h",
  checkEndpoints: false,
};
const bastion = { host: "10.0.0.1", port: 22 };
const connectionArgs: Required<ConnectionArgs> = {
  host: "10.0.0.4",
  port: 22,
  user: "u",
  password: "p",
  privateKey: "k",
  privateKeyPath: "k",
  privateKeyPassword: "p",
  agentSocketPath: "s",
  hostKey: "k",
  knownHostsPath: "k",
  insecureIgnoreHostKey: true,
  sudoPassword: "p",
  proxy: { ...bastion, proxy: bastion },
  perDialTimeout: 1,
  dialErrorLimit: 1,
};
const verifyArgs: Required<VerifyArgs> = { images: 1, onFailure: "warn", coverage: false };
const prepullArgs: Required<PrepullArgs> = { images: [], maxParallel: 1, onFailure: "warn" };
const lookArgs: Required<LookArgs> = { timeout: 1, maxParallel: 1, onProblem: "warn", coverage: false };
const nodeSettings = {
  verify: verifyArgs,
  prepull: prepullArgs,
  configStyle: "auto",
  layout: "auto",
  criTimeout: 1,
  forgetUnreachable: true,
  adopt: true,
  look: lookArgs,
} as const;
const nodeArgs: Record<keyof NodeContainerdArgs, unknown> = {
  connection: connectionArgs,
  mirror: source,
  images: [],
  probe: undefined,
  ...nodeSettings,
  hold: true,
};
const { host: _host, ...clusterConnection } = connectionArgs;
const listedNode: Record<keyof NamedNode, unknown> = {
  address: "10.0.0.4",
  name: "n",
  role: "worker",
  pool: "p",
  connection: connectionArgs,
  ...nodeSettings,
};
const clusterArgs: Record<keyof MirroredClusterArgs, unknown> = {
  clusterConfig: undefined,
  clusterName: "c",
  images: { images: [], probe: undefined },
  rollout: { canary: 0, maxParallel: 1, controlPlaneParallel: 1, order: ["worker"], only: ["n"] },
  registryMirrors: [mirrorArgs],
  privateRegistries: [privateArgs],
  privateRegistriesOn: "all",
  mirror: undefined,
  skipFallback: true,
  dialTimeout: 1,
  gcrKeyPath: "k",
  gcrKey: "k",
  hostsDir: "/h",
  checkEndpoints: false,
  connection: clusterConnection,
  nodes: [listedNode],
  ...nodeSettings,
};

async function namesRefused(
  Type: new (name: string, args: never) => pulumi.Resource,
  args: unknown,
): Promise<string[]> {
  return (await problemsOf(Type, args)).filter((problem) => problem.includes("there is no such argument"));
}

describe("names of arguments: a misspelt one is an error, as it would be as good as not given", () => {
  for (const [type, Type, all] of slips) {
    for (const [name, make, says] of all) {
      it(`${type} ${name}`, async () => {
        const about = (await problemsOf(Type, make(secret))).filter((problem) => problem.includes(`${name}: `));
        assert.match(about.join(), /: there is no such argument; /);
        assert.match(about.join(), says);
        assert.ok(!about.join().includes(secret), "it may be a secret under a wrong name");
        assert.deepEqual(await namesRefused(Type, make(undefined)), [], "undefined is not given");
      });
    }
  }

  for (const [type, Type, args] of [
    ["RegistryMirror", RegistryMirror, registryMirrorArgs],
    ["NodeContainerd", NodeContainerd, nodeArgs],
    ["MirroredCluster", MirroredCluster, clusterArgs],
  ] as [string, new (name: string, args: never) => pulumi.Resource, unknown][]) {
    it(`${type}: all that there are pass`, async () => {
      assert.deepEqual(await namesRefused(Type, args), []);
    });
  }

  it("several of one resource are told at once, beside what they leave out", async () => {
    const said = await problemsOf(RegistryMirror, { registryMirrors: [{ endpoit: "https://a.io:1", cacert: "x" }] });
    assert.deepEqual(
      said.map((text) => text.replace(/[:;].*/, "")),
      ["registryMirrors[0].endpoit", "registryMirrors[0].cacert", "registryMirrors[0].endpoint"],
    );
  });

  it("what a push set takes of a registry is let through in a mirror, so that one object may say both", async () => {
    const both = { proxy: "http://p:1", maxParallel: 2, maxBytesPerSecond: 1, dockerConfigPath: "c.json" };
    const own = { ...both, credentialCommand: ["x"], username: "u", password: "p" };
    assert.deepEqual(await problemsOf(RegistryMirror, settings(own)), []);
  });

  it("what is an output as a whole, or a promise, is asked when it is known, and is no secret for that", async () => {
    for (const [name, args] of [
      ["verify.image", { verify: later({ image: "x" }) }],
      ["prepull.image", { prepull: pulumi.secret({ images: [], image: "x" }) }],
      ["prepull.image", { prepull: Promise.resolve({ images: [], image: "x" }) }],
    ] as [string, Plain][]) {
      assert.match((await problemsOf(NodeContainerd, node({}, args))).join(), new RegExp(`${name}: there is no such`));
    }
    const right = { verify: later({ images: 0 }), prepull: later({ images: [] }), mirror: later(source) };
    assert.deepEqual(await namesRefused(NodeContainerd, node({}, right)), []);
    const whole = { host: "10.0.0.4", proxy: later({ host: "b", password: secret }), sudoPassword: secret };
    assert.deepEqual(await problemsOf(NodeContainerd, { ...node(), connection: later(whole) }), []);
    const turned = { ...node(), connection: later({ host: "10.0.0.4", usr: "x" }) };
    assert.match((await problemsOf(NodeContainerd, turned)).join(), /connection\.usr: .* did you mean user\?/);
    const slip = settings({}, { registryMirrors: [later({ endpoint: "https://a.io:1", hostz: [] })] });
    assert.match((await problemsOf(RegistryMirror, slip)).join(), /registryMirrors\[0\]\.hostz: there is no such/);
  });

  it("what Pulumi adds by itself, and what other things bring along, is no argument", async () => {
    const added = { __internal: {}, __provider: "x", __defaults: [] };
    assert.deepEqual(await namesRefused(RegistryMirror, { ...settings(added), ...added }), []);
    assert.deepEqual(await namesRefused(NodeContainerd, { ...node(added), ...added }), []);
    const outputs = { images: [], probe: undefined, registries: [], endpoint: "10.0.0.5:5000" };
    assert.deepEqual(await namesRefused(MirroredCluster, cluster({ images: outputs })), []);
    const stack = { ...source, fingerprint: "f", mirrors: [] };
    assert.deepEqual(await namesRefused(NodeContainerd, node({}, { mirror: stack })), []);
  });

  it("a state keeps what an older version let through: a held node's connection comes out of it", async () => {
    const texts = {
      mirror: '{"value":{"hosts":[],"hostsDir":"/h","auth":{}}}',
      files: "{}",
      verify: '{"value":false}',
    };
    const held = { connection: { host: "10.0.0.4", usr: "x" }, credentials: {}, declared: texts, hold: true };
    assert.deepEqual((await nodeContainerd.check?.({}, held))?.failures ?? [], []);
  });

  describe("of functions", () => {
    const refused: [string, () => unknown, RegExp][] = [
      [
        "planRollout",
        () => planRollout([], { canry: 1 } as never),
        /^rollout\.canry: .*canary\? .*\[ARGUMENTS_INVALID\]/,
      ],
      [
        "readClusterFile",
        () => readClusterFile("a.yaml", { checkFile: false } as never),
        /readClusterFile: checkFile: /,
      ],
      ["renderReport", () => renderReport([], { pushset: [] } as never), /renderReport: pushset: .* pushSets\?/],
      ["renderReportPage", () => renderReportPage([], { titel: "x" } as never), /renderReportPage: titel: .* title\?/],
      ["reportPage", () => reportPage([], { paht: "x" } as never), /reportPage: paht: .* path\?/],
      [
        "reportPage's push set",
        () => reportPage([], { pushSets: [{ name: "n", registries: [], images: [] }] } as never),
        /reportPage: pushSets\[0\]\.images: /,
      ],
      ["verificationReport", () => verificationReport([], { pushset: [] } as never), /verificationReport: pushset: /],
      ["inspectNode", () => inspectFrom({ host: "h" }, undefined, { timout: 1 } as never), /inspectNode: timout: /],
      ["imagesIn", () => findImages([], { path: {} } as never), /options\.path: .* paths\?/],
      ["imagesIn's text", () => findImages([{ text: "", nam: "x" }], {}), /source\[0\]\.nam: .* name\?/],
    ];
    for (const [name, run, says] of refused) {
      it(name, async () => {
        await assert.rejects(
          async () => {
            await run();
          },
          (error: unknown) => {
            assert.ok(error instanceof MirrorError || error instanceof RolloutError, String(error));
            assert.match(error.message, /there is no such argument/);
            assert.match(error.message, says);
            return true;
          },
        );
      });
    }

    it("inspectNode's connection, imagesOn and prune: as problems of the result", async () => {
      const context = { signal: new AbortController().signal, log: undefined as never };
      const seen = await inspectNode({ host: "10.0.0.4", usr: "x" } as never, undefined, { timeout: 1 }, context);
      assert.match(seen.problems[0]?.text ?? "", /connection\.usr: .* user\?/);
      const args = { hosts: ["docker.io"], runing: true } as never;
      const said = await problemsOf(ImagePushSet, push({ source: imagesOn([{ host: "10.0.0.4" }], args) }));
      assert.match(said.join(), /imagesOn\.runing: .* running\?/);
      const { problems } = resolvePrune({
        keep: 1,
        nodes: [{ host: "10.0.0.4", proxy: { host: "b", usr: "x" } }],
      } as never);
      assert.match(problems[0]?.text ?? "", /prune\.nodes\[0\]\.proxy\.usr: /);
    });
  });

  it("the nearest name: by letters, by what it holds, and none rather than one that is far", () => {
    const names = ["host", "port", "user", "password", "privateKeyPath", "tls"];
    for (const [written, meant] of [
      ["hots", "host"],
      ["Host", "host"],
      ["username", "user"],
      ["sshPrivateKeyPath", "privateKeyPath"],
      ["pasword", "password"],
      ["tsl", undefined],
      ["colour", undefined],
    ] as const) {
      assert.equal(meantBy(written, names), meant, written);
    }
    assert.equal(meantBy("x", []), undefined);
  });
});
