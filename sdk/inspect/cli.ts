#!/usr/bin/env node
import { parseArgs } from "node:util";

import { silentLog } from "../../provider/model/context";
import { messageOf, MirrorError, textWithCode } from "../../provider/model/errors";
import type { NodeConnection } from "../../provider/node";
import { readClusterFile } from "../../provider/resources/cluster/clusterFile";
import type { NodeInspection, ResolvedMirror } from "../../provider/resources/node/inspect";
import { inspectNode, resolveMirror } from "../../provider/resources/node/inspect";
import { describeInspections } from "../../provider/resources/node/inspectText";
import { layoutNamed } from "../../provider/resources/node/shapes";
import { Turns } from "../turns";

const usage = `usage: registry-mirror inspect [options] CLUSTER.yaml | ADDRESS...

Looks at nodes, read-only: which containerd runs there and where it pulls from; of a bmctl cluster file also what
pulumi up would do to point them at its mirrors.

  --cluster-name NAME   which Cluster of the file, when it has several
  --user NAME           default: the file's login user, else root
  --port PORT           default 22
  --key PATH            private key; default: the file's, else the agent's
  --known-hosts PATH    default ~/.ssh/known_hosts
  --insecure            accept any host key
  --layout NAME         kind of the nodes: containerd, k3s, rke2, k0s, microk8s; default auto, found on each node
  --timeout SECONDS     for one node; default 20
  --parallel COUNT      nodes at a time; default 16
  --json                one JSON document instead of text

Exit code: 0 all nodes were looked at and nothing would fail; 1 some node could not be looked at, or would fail;
2 the command itself cannot be carried out.
`;

interface Work {
  connection: NodeConnection;
  mirror: ResolvedMirror | undefined;
}

const context = { signal: new AbortController().signal, log: silentLog };

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      "cluster-name": { type: "string" },
      user: { type: "string" },
      port: { type: "string" },
      key: { type: "string" },
      "known-hosts": { type: "string" },
      insecure: { type: "boolean" },
      layout: { type: "string", default: "auto" },
      timeout: { type: "string", default: "20" },
      parallel: { type: "string", default: "16" },
      json: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  const [command, ...targets] = positionals;
  if (values.help === true) {
    console.log(usage);
    return 0;
  }
  if (command !== "inspect" || targets.length === 0) {
    console.error(usage);
    return 2;
  }
  const timeout = numberOf("--timeout", values.timeout);
  const layout = layoutNamed("--layout", values.layout);
  const turns = new Turns(numberOf("--parallel", values.parallel));
  const said: Partial<NodeConnection> = {
    ...(values.user === undefined ? {} : { user: values.user }),
    ...(values.port === undefined ? {} : { port: numberOf("--port", values.port) }),
    ...(values.key === undefined ? {} : { privateKeyPath: values.key }),
    ...(values["known-hosts"] === undefined ? {} : { knownHostsPath: values["known-hosts"] }),
    ...(values.insecure === true ? { insecureIgnoreHostKey: true } : {}),
  };
  const work = await workOn(targets, values["cluster-name"], said);
  const found = await Promise.all(
    work.map(({ connection, mirror }) =>
      turns.run(() => inspectNode(connection, mirror, { timeout, layout }, context)),
    ),
  );
  print(found, values.json === true);
  return found.some(({ problems }) => problems.length > 0) ? 1 : 0;
}

async function workOn(
  targets: readonly string[],
  clusterName: string | undefined,
  said: Partial<NodeConnection>,
): Promise<Work[]> {
  const [file = ""] = targets;
  if (targets.length > 1 || !/\.ya?ml$/.test(file)) {
    return targets.map((host) => ({ connection: { host, ...said }, mirror: undefined }));
  }
  const cluster = readClusterFile(file, clusterName === undefined ? {} : { clusterName });
  const { registryMirrors, privateRegistries, gcrKeyPath, loginUser: user, sshPrivateKeyPath } = cluster;
  const key = sshPrivateKeyPath === undefined ? {} : { privateKeyPath: sshPrivateKeyPath };
  const gcr = gcrKeyPath === undefined ? {} : { gcrKeyPath };
  // bmctl gives private registries to worker nodes alone.
  const forWorkers = await resolveMirror({ registryMirrors, privateRegistries, ...gcr }, context);
  const forOthers =
    privateRegistries.length === 0
      ? forWorkers
      : registryMirrors.length === 0
        ? undefined
        : await resolveMirror({ registryMirrors, ...gcr }, context);
  return cluster.nodes.map(({ address, role }) => ({
    connection: { host: address, user, ...key, ...said },
    mirror: role === "worker" ? forWorkers : forOthers,
  }));
}

function print(found: readonly NodeInspection[], json: boolean): void {
  console.log(json ? JSON.stringify(found, null, 2) : describeInspections(found));
}

function numberOf(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new MirrorError("ARGUMENTS_INVALID", `${option}: it is ${JSON.stringify(text)}; give a whole number from 1.`);
  }
  return value;
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    const lines = error instanceof MirrorError ? [textWithCode(error), ...error.reasons] : [messageOf(error)];
    console.error(lines.join("\n  "));
    process.exitCode = 2;
  },
);
