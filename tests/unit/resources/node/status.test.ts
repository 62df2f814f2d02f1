import assert from "node:assert/strict";

import type { AuthKinds, Credentials, DesiredHost } from "../../../../provider/containerd/desired";
import { renderFiles } from "../../../../provider/containerd/render/renderFiles";
import { stableText, unknownValue } from "../../../../provider/pulumi/plainValue";
import { Declarations } from "../../../../provider/resources/node/declaration";
import type {
  ContainerdState,
  NodeContainerdInputs,
  NodeContainerdOutputs,
} from "../../../../provider/resources/node/state";
import { mirrorOf, stateOf } from "../../../../provider/resources/node/state";
import { nodeStatus } from "../../../../provider/resources/node/status";

const mirror = "127.0.0.1:5000";
const hostsDir = "/etc/containerd/certs.d";
const mirrorUser = { username: "u", password: "geheim" };
const declarations = new Declarations();
const declared = (digest: string) => declarations.get(digest);
const gcrKey = { username: "_json_key", password: "{}" };

interface Declared {
  hosts?: string[];
  auth?: AuthKinds[string];
  credentials?: Credentials;
  configStyle?: "hosts-dir" | "config-toml" | "auto";
  /** The endpoints are asked in the update, so a preview does not know the whole. */
  unknownMirror?: boolean;
  dialTimeout?: number;
}

function inputs({
  hosts = ["gcr.io"],
  auth = "basic",
  credentials = { [mirror]: mirrorUser },
  configStyle,
  unknownMirror,
  dialTimeout,
}: Declared): NodeContainerdInputs {
  const all = hosts.map((host): DesiredHost => ({
    host,
    mirrors: [
      {
        endpoint: `https://${mirror}/v2/ns`,
        ...(Object.hasOwn(credentials, mirror) ? { credential: mirror } : {}),
        ...(dialTimeout === undefined ? {} : { dialTimeout }),
      },
    ],
    skipFallback: false,
  }));
  const value = { hosts: all, auth: { [mirror]: auth }, hostsDir };
  return {
    connection: { host: "127.0.0.1" },
    ...check(unknownMirror === true ? unknownValue : stableText({ value }), all),
    credentials,
    verify: false,
    ...(configStyle === undefined ? {} : { configStyle }),
  };
}

function check(mirror: string, hosts: DesiredHost[]): Pick<NodeContainerdInputs, "mirror" | "files"> {
  const files = stableText(renderFiles(hosts, {}, hostsDir));
  const connection = { host: "127.0.0.1" };
  return declarations.check({ connection, credentials: {}, declared: { mirror, files, verify: "" } });
}

function state(given: Declared, containerd: Partial<ContainerdState> = {}): NodeContainerdOutputs {
  const now = inputs(given);
  return {
    ...stateOf(now, declared(now.mirror)),
    containerd: { version: "1.7.24", configStyle: "hosts-dir", restarts: 1, ...containerd },
  };
}

describe("what a preview says an update does to a node", () => {
  const both = { [mirror]: mirrorUser, "gcr.io": gcrKey };
  const other = { [mirror]: { ...mirrorUser, password: "anders" } };
  const cases: [string, Declared, Declared, Partial<ContainerdState>, RegExp][] = [
    ["nothing of the node's own", {}, {}, {}, /^verifies again, writes nothing$/],
    ["another host", {}, { hosts: ["gcr.io", "quay.io"] }, {}, /^containerd does not restart$/],
    ["a key for gcr.io", {}, { credentials: both }, {}, /^other credentials for gcr\.io; containerd restarts once$/],
    [
      "a key for gcr.io goes",
      { credentials: both },
      {},
      {},
      /^other credentials for gcr\.io; containerd restarts once$/,
    ],
    [
      "another password in a header",
      {},
      { credentials: other },
      {},
      /^other credentials for 127\.0\.0\.1:5000; containerd does not restart$/,
    ],
    [
      "another password for a token registry, before 2.1",
      { auth: "bearer" },
      { auth: "bearer", credentials: other },
      { version: "2.0.11" },
      /restarts once$/,
    ],
    [
      "another password for a token registry, from 2.1 on",
      { auth: "bearer" },
      { auth: "bearer", credentials: other },
      { version: "2.1.9" },
      /does not restart$/,
    ],
    ["the mirror asks for tokens by now, before 2.1", {}, { auth: "bearer" }, {}, /^containerd restarts once$/],
    [
      "the mirror asks for tokens by now, from 2.1 on",
      {},
      { auth: "bearer" },
      { version: "2.1.9" },
      /^containerd does not restart$/,
    ],
    [
      "C15: a dial timeout on a release without it",
      {},
      { dialTimeout: 1 },
      {},
      /^containerd does not restart; containerd 1\.7\.24 has no dial timeout$/,
    ],
    [
      "C15: a dial timeout where it works",
      {},
      { dialTimeout: 1 },
      { version: "2.0.7" },
      /^containerd does not restart$/,
    ],
    ["C15: no dial timeout any more", { dialTimeout: 1 }, {}, {}, /^containerd does not restart$/],
    [
      "tables in config.toml",
      { configStyle: "config-toml" },
      { configStyle: "config-toml", hosts: ["gcr.io", "quay.io"] },
      { configStyle: "config-toml" },
      /restarts once$/,
    ],
    [
      "from tables to files",
      { configStyle: "config-toml" },
      { configStyle: "hosts-dir" },
      { configStyle: "config-toml" },
      /^containerd restarts once$/,
    ],
  ];
  for (const [title, before, after, containerd, words] of cases) {
    for (const unknownMirror of after.auth === before.auth ? [false, true] : [false]) {
      it(`B2, B3: ${title}${unknownMirror ? ", while the endpoints are still to be asked" : ""}`, () => {
        assert.match(nodeStatus(state(before, containerd), inputs({ ...after, unknownMirror }), declared), words);
      });
    }
  }

  it("C14: a registry that was never asked: before 2.1 nobody knows yet whether its credential needs a restart", () => {
    const place = "p.example:5007";
    const direct: DesiredHost = { host: place, mirrors: [], skipFallback: false, access: { credential: place } };
    const before = state({});
    const all = [...mirrorOf(before).hosts, direct];
    const news = {
      ...inputs({ unknownMirror: true }),
      ...check(unknownValue, all),
      credentials: { [mirror]: mirrorUser, [place]: mirrorUser },
    };
    assert.equal(
      nodeStatus(before, news, declared),
      `other credentials for ${place}; whether containerd restarts is known in the update`,
    );
    assert.equal(
      nodeStatus(state({}, { version: "2.1.9" }), news, declared),
      `other credentials for ${place}; containerd does not restart`,
    );
  });

  it("credentials that are not known yet are said not to be", () => {
    const news = { ...inputs({}), credentials: unknownValue as unknown as Credentials };
    assert.equal(nodeStatus(state({}), news, declared), "what is written is known in the update");
  });
});
