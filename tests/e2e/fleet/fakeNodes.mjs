// Stands in for the node room (provider/node) in rollouts of nodes that do not exist: what would go over SSH goes into
// a folder instead. Everything above it is the real thing: front door, plan, verification, Pulumi's runtime and engine.
// FLEET_DIR holds, for each address, `ADDRESS.json` with the node's files; `log` with one line an event; and
// `faults.json`, `{ADDRESS: "message"}`.
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.env["FLEET_DIR"];
const delay = Number(process.env["FLEET_DELAY"] ?? "30");
const configPath = "/etc/containerd/config.toml";

const read = (name, fallback) =>
  existsSync(join(folder, name)) ? JSON.parse(readFileSync(join(folder, name), "utf8")) : fallback;
const tell = (event, host) => appendFileSync(join(folder, "log"), `${JSON.stringify({ event, host })}\n`);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const filesOf = (host) => read(`${host}.json`, { [configPath]: { text: "version = 2\n", mode: 0o644 } });

export class Node {
  constructor(host) {
    this.host = host;
  }

  async observe() {
    const owned = Object.fromEntries(
      Object.keys(filesOf(this.host))
        .filter((path) => path !== configPath)
        .map((path) => [path, ""]),
    );
    return {
      versionText: "containerd github.com/containerd/containerd 1.7.24",
      configPath,
      files: filesOf(this.host),
      owned,
      serviceState: "active",
      unitState: "loaded",
      notLoaded: false,
      socketPath: "/run/none",
      stats: {},
      directories: [],
      record: read(`${this.host}.record.json`, undefined),
    };
  }

  cri() {
    const none = () => Promise.resolve([]);
    return { imageStatus: () => Promise.resolve(undefined), listImages: none, listContainers: none, close() {} };
  }

  close() {}
}

export async function connectNode(connection) {
  return new Node(connection.host);
}

export async function applyToNode(node, options) {
  tell("begin", node.host);
  await wait(delay);
  const fault = read("faults.json", {})[node.host];
  if (fault !== undefined) {
    tell("failed", node.host);
    throw new Error(fault);
  }
  const before = await node.observe();
  const plan = await options.plan(before);
  const files = { ...before.files };
  for (const path of plan.remove) delete files[path];
  for (const file of plan.write) files[file.path] = { text: file.text, mode: file.mode };
  const changed = plan.write.length + plan.remove.length > 0;
  writeFileSync(join(folder, `${node.host}.json`), JSON.stringify(files));
  writeFileSync(
    join(folder, `${node.host}.record.json`),
    JSON.stringify({ owner: options.owner.urn, token: options.owner.token, files: [], directories: [] }),
  );
  const verification = await options.verify?.({ cri: node.cri(), plan, observed: before, changed });
  tell("end", node.host);
  return {
    plan,
    observed: before,
    changed,
    restarts: plan.restart ? 1 : 0,
    verification,
    notes: [],
    roundTrips: 0,
    connections: 0,
  };
}

export async function restoreNode(node) {
  tell("restore", node.host);
  await wait(delay);
  rmSync(join(folder, `${node.host}.json`), { force: true });
  return { changed: true, restarts: 0, notes: [], roundTrips: 0 };
}

export function isNodeError() {
  return false;
}

export function closeIdleNodes() {}
