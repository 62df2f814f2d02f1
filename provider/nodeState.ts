import type { AuthKinds, ConfigStyle, Credentials, DesiredHost, DesiredRegistry } from "./containerd/desired";
import type { ObservedNode } from "./containerd/observed";
import { renderFiles } from "./containerd/renderFiles";
import { isUnknown, stableText } from "./dynamic/plainValue";
import { sha256 } from "./oci/digest";
import type { NodeConnection } from "./node";
import type { Probe } from "./registry/pushResult";
import type { ExpectedImage } from "./verify/evidence";
import type { NodeVerification } from "./verify/nodeVerification";

/** What a node is to do, but for the texts and the secrets. */
export interface NodeMirror {
  hosts: DesiredHost[];
  auth: AuthKinds;
  hostsDir: string;
}

/** What to look at on the node afterwards. `images` are already chosen. */
export interface NodeVerify {
  onFailure: "error" | "warn";
  images: ExpectedImage[];
  probe?: Probe;
}

/** The wire form of NodeContainerd's arguments. */
export interface NodeContainerdInputs {
  connection: NodeConnection;
  mirror: NodeMirror;
  /** What the reviewer sees is what is written: path on the node -> text. */
  files: Record<string, string>;
  /** Secret. */
  credentials: Credentials;
  verify: false | NodeVerify;
  configStyle: ConfigStyle | "auto";
  criTimeout?: number;
  forgetUnreachable?: boolean;
  adopt?: boolean;
  hold?: boolean;
  /** Only ever in the state, put there by refresh: how the node differs. That it is not declared makes `up` repair it. */
  drift?: string[];
}

/** What the node's containerd is and how it is configured. */
export interface ContainerdState {
  /** `2.1.9`. */
  version: string;
  /** How it is configured: what "auto" came to on this node. */
  configStyle: ConfigStyle;
  /** Restarts of containerd that this resource has caused, over its whole life. */
  restarts: number;
}

/**
 * What the state keeps of a node. Not the files: the inputs have them, they follow from `mirror`, and every byte counts twice over in a
 * fleet of a thousand nodes (Pulumi rewrites the whole state at each step). Of a certificate the digest is enough: the node has it.
 */
export interface NodeContainerdOutputs extends Omit<NodeContainerdInputs, "files"> {
  filesDigest: string;
  /** Path on the node -> digest. */
  certificates?: Record<string, string>;
  containerd?: ContainerdState;
  verification?: NodeVerification;
}

export function stateOf(inputs: NodeContainerdInputs): NodeContainerdOutputs {
  const { files, drift: _drift, hold, ...rest } = inputs;
  const certificates = Object.entries(files ?? {}).filter(([, text]) => text.includes("-----BEGIN CERTIFICATE-----"));
  return {
    ...rest,
    filesDigest: digestOfFiles(files),
    ...(certificates.length > 0 ? { certificates: Object.fromEntries(certificates.map(([path, text]) => [path, sha256(text)])) } : {}),
    ...(hold === true ? { hold } : {}),
  };
}

export function digestOfFiles(files: Record<string, string>): string {
  return isUnknown(files) ? "" : sha256(stableText(files));
}

/** The files that were put on a node, made again from the state and the node's own certificates. */
export interface RestoredFiles {
  files: Record<string, string>;
  /** Certificates that the node no longer has as they were: nobody can say what to compare them with. */
  lost: string[];
}

export function filesOf(outs: NodeContainerdOutputs, observed: ObservedNode): RestoredFiles {
  const texts: Record<string, string> = {};
  const lost: string[] = [];
  for (const [path, digest] of Object.entries(outs.certificates ?? {})) {
    const found = observed.files[path]?.text;
    if (found !== undefined && sha256(found) === digest) {
      texts[path] = found;
    } else {
      lost.push(path);
      texts[path] = "";
    }
  }
  const files = renderFiles(outs.mirror.hosts, texts, outs.mirror.hostsDir);
  return { files: Object.fromEntries(Object.entries(files).filter(([path]) => !lost.includes(path))), lost };
}

export function desiredOf(inputs: Omit<NodeContainerdInputs, "files">, files: Record<string, string>): DesiredRegistry {
  return { ...inputs.mirror, files, credentials: inputs.credentials, configStyle: inputs.configStyle };
}

export function addressOf(connection: NodeConnection): string {
  return `${connection.host}:${connection.port ?? 22}`;
}
