import type { LayoutChoice } from "../../containerd/layout/layouts";
import { effectiveRegistry } from "../../containerd/read/effectiveRegistry";
import { hostsDirOf } from "../../containerd/read/hostsDirOf";
import { parseContainerdVersion } from "../../containerd/version";
import { unknownArguments } from "../../model/argumentNames";
import type { OperationContext } from "../../model/context";
import { MirrorError } from "../../model/errors";
import { findingText } from "../../model/finding";
import type { Problem } from "../../model/problem";
import { problemText } from "../../model/problem";
import type { Node, NodeConnection } from "../../node";
import { SharedQuestions } from "../../verify/coverage/sharedQuestions";
import { resolveCredentials } from "../mirror/credentials";
import type { DeclaredMirror, DeclaredPrivateRegistry } from "../mirror/declared";
import { withoutSecrets } from "../mirror/declared";
import { askEndpoints } from "../mirror/endpoints";
import { resolveHosts } from "../mirror/hosts";
import { registryMirrorNames } from "../mirror/names";
import { endpointsOf, resolveCheckEndpoints, resolveHostsDir } from "../mirror/settings";
import { visitBriefly } from "./briefly";
import { declaredConnectionProblems } from "./connectionProblems";
import type { LookRequest, NodeLook } from "./look";
import { lookAtNode } from "./look";
import { layoutProblems } from "./shapes";
import { declarationOf } from "./stated";

/** What a node is to have, by the names and values of a RegistryMirror's arguments. */
export interface InspectedMirror {
  /** The mirrors, in order. */
  registryMirrors?: Omit<DeclaredMirror, "withCredential">[];
  /** Registries that the node pulls from directly. */
  privateRegistries?: Omit<DeclaredPrivateRegistry, "withCredential">[];
  /** Path of a Google service-account key. */
  gcrKeyPath?: string;
  /** The same as text. */
  gcrKey?: string;
  /** Default `/etc/containerd/certs.d`. */
  hostsDir?: string;
  /** Default true. */
  checkEndpoints?: boolean;
}

/** What was seen of a node. Holds no secrets. */
export interface NodeInspection {
  /** As it was named. */
  node: string;
  /** What runs there now; absent where it could not be looked at. */
  containerd?: InspectedContainerd;
  /** URN of the resource that configures the node, by its own record. */
  owner?: string;
  /** With a mirror: what `pulumi up` would do. */
  plan?: NodeLook;
  /** Why it could not be looked at, or what `pulumi up` would fail on; each with its code and way out. */
  problems: Problem[];
}

/** A node's containerd, and where it pulls from. */
export interface InspectedContainerd {
  /** Kind of the node: `containerd`, `k3s`, `rke2`, `k0s`, `microk8s`, or `custom` for one that is given by its paths. */
  layout: string;
  /** systemd unit that runs it: `k3s-agent.service`. */
  unit: string;
  /** Its main configuration. */
  configPath: string;
  /** Where hosts.toml files are read from, or would be once there is a mirror. */
  hostsDir: string;
  /** Its CRI. */
  socketPath: string;
  /** `1.7.24`. */
  version: string;
  /** How mirrors are configured there. */
  configStyle: "hosts-dir" | "config-toml" | "none";
  /** Whether it runs. */
  running: boolean;
  /** By public host. */
  hosts: Record<string, InspectedHost>;
  /** What a person should know of its configuration. */
  findings: string[];
}

/** Where the images of one public host come from. */
export interface InspectedHost {
  /** The mirrors, in order. */
  endpoints: string[];
  /** Whether the public registry is asked after them. */
  upstream: boolean;
}

/** What a declaration comes to, once for any number of nodes. */
export type ResolvedMirror = Pick<LookRequest, "declaration" | "credentials">;

/**
 * @throws MirrorError for arguments that cannot be right, as a RegistryMirror would report them, and `MIRROR_UNUSABLE` for
 * an endpoint that does not answer
 */
export async function resolveMirror(mirror: InspectedMirror, context: OperationContext): Promise<ResolvedMirror> {
  const { registryMirrors = [], privateRegistries = [], gcrKeyPath, gcrKey } = mirror;
  const hostsDir = resolveHostsDir(mirror.hostsDir);
  const checkEndpoints = resolveCheckEndpoints(mirror.checkEndpoints);
  const hosts = resolveHosts(
    registryMirrors.map((one) => withoutSecrets("registryMirrors", one) as unknown as DeclaredMirror),
    hostsDir.value,
    privateRegistries.map((one) => withoutSecrets("privateRegistries", one) as unknown as DeclaredPrivateRegistry),
  );
  const credentials = await resolveCredentials({
    registryMirrors,
    privateRegistries,
    ...(gcrKeyPath === undefined ? {} : { gcrKeyPath }),
    ...(gcrKey === undefined ? {} : { gcrKey }),
  });
  const problems = [
    ...unknownArguments(mirror, registryMirrorNames),
    ...[hostsDir, checkEndpoints, hosts, credentials].flatMap((part) => part.problems),
  ];
  const [first] = problems;
  if (first !== undefined || hosts.value === undefined || credentials.value === undefined) {
    throw new MirrorError(first?.code ?? "ARGUMENTS_INVALID", first?.text ?? "the mirror is not declared rightly.", {
      reasons: problems.slice(1).map(problemText),
    });
  }
  const given = { hostsDir: hostsDir.value, hosts: hosts.value.hosts, files: hosts.value.files };
  const asked = { ...given, ...endpointsOf(registryMirrors), credentials: credentials.value };
  const { seen, failures } = await askEndpoints({ ...asked, checkEndpoints: checkEndpoints.value !== false }, context);
  const declaration = declarationOf({ ...given, endpoints: seen });
  if (failures.length > 0 || declaration === undefined) {
    throw new MirrorError("MIRROR_UNUSABLE", "a registry does not answer as the nodes need it.", { reasons: failures });
  }
  return { declaration, credentials: credentials.value };
}

/** How a node is looked at. */
export interface InspectOptions {
  /** Seconds. */
  timeout: number;
  /** Default "auto". */
  layout?: LayoutChoice;
}

/** Of all nodes that are inspected at the same time: an image is asked for once. */
const shared = new SharedQuestions();

/** Looks at one node, read-only. What goes wrong is a problem of its result, and no exception. */
export async function inspectNode(
  connection: NodeConnection,
  mirror: ResolvedMirror | undefined,
  { timeout, layout }: InspectOptions,
  context: OperationContext,
): Promise<NodeInspection> {
  const { host: name } = connection;
  const declared = [...declaredConnectionProblems(connection), ...layoutProblems(layout)];
  if (declared.length > 0) {
    return { node: name, problems: declared };
  }
  const { value, problems = [] } = await visitBriefly(connection, timeout, context, (node) =>
    seenOn(node, name, mirror, layout),
  );
  if (value === undefined) {
    return { node: name, problems };
  }
  if (mirror === undefined) {
    return value;
  }
  // By itself, so that what an update would fail on does not hide what is there.
  const at = layout === undefined ? {} : { layout };
  const look = await shared.use((questions) =>
    lookAtNode({ connection, ...mirror, ...at, questions, timeout }, context),
  );
  return { ...value, ...(look.looked === undefined ? {} : { plan: look.looked }), problems: look.problems ?? [] };
}

async function seenOn(
  node: Node,
  name: string,
  mirror: ResolvedMirror | undefined,
  layout: LayoutChoice = "auto",
): Promise<NodeInspection> {
  const hostsDirs = mirror === undefined ? [] : [mirror.declaration.hostsDir];
  const observed = await node.observe({ hostsDirs, layout, allowDown: true, allowAbsent: false });
  const { style, hosts, findings } = effectiveRegistry(observed);
  return {
    node: name,
    containerd: {
      layout: observed.layout,
      unit: observed.unit,
      configPath: observed.configPath,
      hostsDir: hostsDirOf(observed, mirror?.declaration.hostsDir),
      socketPath: observed.socketPath,
      version: parseContainerdVersion(observed.versionText).text,
      configStyle: style,
      running: observed.serviceState === "active",
      hosts: Object.fromEntries(
        Object.entries(hosts).map(([host, { endpoints, upstream }]) => [
          host,
          { endpoints: endpoints.filter((one) => one !== "upstream"), upstream },
        ]),
      ),
      findings: findings.map(findingText),
    },
    ...(observed.record === undefined ? {} : { owner: observed.record.owner }),
    problems: [],
  };
}
