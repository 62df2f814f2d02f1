// Stands in for the node room (provider/node), for states of nodes that do not exist: every node is a plain containerd
// that does at once what it is asked, and whose pulls find what was pushed. Everything above it is the real thing. With
// SCALE_NODES=closed the first connection is an error: what is measured opens none. SCALE_IMAGES names a file, `{NAME:
// DIGEST}`.
import { readFileSync } from "node:fs";

const configPath = "/etc/containerd/config.toml";
const digests = JSON.parse(readFileSync(process.env["SCALE_IMAGES"], "utf8"));

/** An image by digest is there, one by name where it was pushed. */
const imageService = {
  pullImage: (name) => Promise.resolve(name),
  imageStatus(name) {
    const digest = name.split("@")[1] ?? digests[name];
    const repository = name.replace(/@.*$/, "").replace(/:[^:/]*$/, "");
    return Promise.resolve(
      digest === undefined ? undefined : { id: name, repoTags: [], repoDigests: [`${repository}@${digest}`] },
    );
  },
  removeImage: () => Promise.resolve(),
  close() {},
};

export async function connectNode({ host }) {
  if (process.env["SCALE_NODES"] === "closed") {
    throw new Error(`a connection to ${host} was opened`);
  }
  const files = { [configPath]: { text: "version = 2\n", mode: 0o644 } };
  return {
    host,
    files,
    observe: () =>
      Promise.resolve({
        versionText: "containerd github.com/containerd/containerd 1.7.24",
        configPath,
        files,
        owned: {},
        serviceState: "active",
        socketPath: "/run/none",
        record: undefined,
      }),
    close() {},
  };
}

export async function applyToNode(node, options) {
  const observed = await node.observe();
  const plan = await options.plan(observed);
  for (const { path, text, mode } of plan.write) {
    node.files[path] = { text, mode };
  }
  const verification = await options.verify?.({ cri: imageService, plan, observed, changed: true });
  return {
    plan,
    observed,
    changed: true,
    restarts: plan.restart ? 1 : 0,
    verification,
    notes: [],
    roundTrips: 0,
    connections: 0,
  };
}

export function restoreNode() {
  return Promise.resolve({ changed: true, restarts: 0, notes: [], roundTrips: 0 });
}

export function isNodeError() {
  return false;
}

export function closeIdleNodes() {}
