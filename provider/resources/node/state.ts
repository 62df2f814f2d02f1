import type { AuthKinds, ConfigStyle, Credentials, DesiredHost, DesiredRegistry } from "../../containerd/desired";
import type { LayoutChoice } from "../../containerd/layout/layouts";
import { foundChoice } from "../../containerd/layout/layouts";
import type { ObservedNode } from "../../containerd/observed";
import { renderFiles } from "../../containerd/render/renderFiles";
import { shortDigest } from "../../model/digest";
import type { NodeConnection } from "../../node";
import { isUnknown, sameValue, stableText } from "../../pulumi/plainValue";
import type { NodeVerification } from "../../verify/nodeVerification";
import { holdsCertificate } from "./review";
import type { ShownVerify } from "./shownVerify";
import { showVerify } from "./shownVerify";

/** What a mirror declares for all its nodes: all that is wanted on one, but for its secrets and its style. */
export type Declaration = Pick<DesiredRegistry, "hosts" | "auth" | "hostsDir" | "files">;

/** The same but for the texts, which are known before anybody has asked the mirror's endpoints. */
export type DeclarationWithoutFiles = Omit<Declaration, "files">;

/** NodeContainerd's arguments as check leaves them: what Pulumi shows, and keeps as the resource's inputs. */
export interface NodeContainerdInputs {
  connection: NodeConnection;
  /** Digest of the Declaration, which Declarations knows in this run; unknown while hosts or files are. */
  mirror: string;
  /** What the reviewer sees is what is written: path on the node -> text, as reviewedFiles() gives it. */
  files: Record<string, string>;
  /** Secret. */
  credentials: Credentials;
  verify: false | ShownVerify;
  /** Default "auto". */
  configStyle?: ConfigStyle | "auto";
  /** Default "auto". */
  layout?: LayoutChoice;
  criTimeout?: number;
  forgetUnreachable?: boolean;
  adopt?: boolean;
  hold?: boolean;
  /**
   * Only ever in the state, put there by refresh: how the node differs. That it is not declared makes `up` repair it.
   */
  drift?: string[];
}

/** Every input of a node but `hold`: a node that is held keeps what the state has of them. */
export const inputsOfHeldNode: string[] = Object.keys({
  connection: true,
  mirror: true,
  files: true,
  credentials: true,
  verify: true,
  configStyle: true,
  layout: true,
  criTimeout: true,
  forgetUnreachable: true,
  adopt: true,
  drift: true,
} satisfies Record<Exclude<keyof NodeContainerdInputs, "hold">, true>);

/** What the node's containerd is and how it is configured. */
export interface ContainerdState {
  /** `2.1.9`. */
  version: string;
  /** How it is configured: what "auto" came to on this node. */
  configStyle: ConfigStyle;
  /** Which kind of node it is: what `layout: "auto"` came to, or "custom". Absent from a state of before 0.2.0. */
  layout?: string;
  /** Restarts of containerd that this resource has caused, over its whole life. */
  restarts: number;
}

/** Hosts with the same mirrors. */
interface HostGroup extends Omit<DesiredHost, "host" | "skipFallback"> {
  hosts: string[];
  skipFallback?: true;
}

/**
 * What the state keeps of a node besides its inputs. Every byte counts a thousand times in a fleet of a thousand nodes,
 * and Pulumi rewrites the whole state at each step. So: not the files, which follow from the hosts; of a certificate
 * the digest, because the node has it; not the images to compare, which the verification lists.
 */
export interface NodeContainerdOutputs extends Omit<NodeContainerdInputs, "files" | "verify"> {
  /** Of the files as the inputs have them. */
  filesDigest: string;
  hosts: HostGroup[];
  auth: AuthKinds;
  hostsDir: string;
  /** Path on the node -> digest. */
  certificates?: Record<string, string>;
  verify: false | Omit<ShownVerify, "images">;
  /**
   * Whose the node is: its record has the same. The URN, where 0.1.0 made the state; none before the node was first
   * configured.
   */
  token?: string;
  /** With `drift`: repairing it restarts containerd. */
  driftRestarts?: true;
  containerd?: ContainerdState;
  verification?: NodeVerification;
}

export function stateOf(
  inputs: NodeContainerdInputs,
  { hosts, auth, hostsDir, files }: Declaration,
): NodeContainerdOutputs {
  const { files: reviewed, drift: _drift, hold, verify, ...rest } = inputs;
  const certificates = Object.entries(files).filter(([, text]) => holdsCertificate(text));
  return {
    ...rest,
    filesDigest: digestOfFiles(reviewed),
    hosts: grouped(hosts),
    auth,
    hostsDir,
    verify: withoutImages(verify),
    ...(certificates.length > 0
      ? { certificates: Object.fromEntries(certificates.map(([path, text]) => [path, shortDigest(text)])) }
      : {}),
    ...(hold === true ? { hold } : {}),
  };
}

/** The state when nothing but how to reach the node, and what is to be remembered for later, was declared otherwise. */
export function rememberedState(olds: NodeContainerdOutputs, news: NodeContainerdInputs): NodeContainerdOutputs {
  const {
    layout: _layout,
    criTimeout: _limit,
    forgetUnreachable: _forget,
    adopt: _adopt,
    hold: _hold,
    drift: _drift,
    driftRestarts: _restarts,
    ...kept
  } = olds;
  const { files: _files, verify: _verify, hold: _held, ...rest } = news;
  return { ...kept, ...rest };
}

export function digestOfFiles(files: Record<string, string>): string {
  return isUnknown(files) ? "" : shortDigest(stableText(files));
}

/** What was to be looked at on the node, made again from what was seen there. */
export function verifyOf(outs: NodeContainerdOutputs): false | ShownVerify {
  if (outs.verify === false) {
    return false;
  }
  const images = (outs.verification?.images ?? []).map(({ image, mirrorImage, expectedDigest }) => ({
    source: image,
    target: mirrorImage,
    digest: expectedDigest,
  }));
  return { ...outs.verify, ...showVerify({ images }) };
}

function withoutImages(verify: false | ShownVerify): false | Omit<ShownVerify, "images"> {
  if (verify === false) {
    return false;
  }
  const { images: _images, ...rest } = verify;
  return rest;
}

function grouped(hosts: readonly DesiredHost[]): HostGroup[] {
  const groups = new Map<string, HostGroup>();
  for (const { host, mirrors, skipFallback, access } of hosts) {
    const shared = { mirrors, ...(skipFallback ? { skipFallback } : {}), ...(access === undefined ? {} : { access }) };
    const key = stableText(shared);
    const group = groups.get(key) ?? { hosts: [], ...shared };
    group.hosts.push(host);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** What was declared for the node, as the state has it. */
export function mirrorOf(outs: NodeContainerdOutputs): DeclarationWithoutFiles {
  const hosts = outs.hosts.flatMap(({ hosts: names, skipFallback, ...shared }) =>
    names.map((host) => ({ host, ...shared, skipFallback: skipFallback === true })),
  );
  return { hosts, auth: outs.auth, hostsDir: outs.hostsDir };
}

/** The files that were put on a node, made again from the state and the node's own certificates. */
export interface RestoredFiles {
  files: Record<string, string>;
  /**
   * Certificates that the node no longer has as they were: nobody can say what to compare them with, and `files` has a
   * stand-in.
   */
  lost: LostFile[];
}

interface LostFile {
  /** As declared. */
  path: string;
  /** Where it was on this node. */
  place: string;
}

export function filesOf(outs: NodeContainerdOutputs, observed: ObservedNode): RestoredFiles {
  const texts: Record<string, string> = {};
  const lost: LostFile[] = [];
  for (const [path, digest] of Object.entries(outs.certificates ?? {})) {
    const places = placesOf(path, outs.hostsDir, observed);
    const found = places
      .map((place) => observed.files[place]?.text)
      .find((text) => text !== undefined && shortDigest(text) === digest);
    if (found !== undefined) {
      texts[path] = found;
    } else {
      lost.push({ path, place: places[1] ?? path });
      texts[path] = "";
    }
  }
  const { hosts, hostsDir } = mirrorOf(outs);
  return { files: renderFiles(hosts, texts, hostsDir), lost };
}

/** Where a file may be: where it was declared, or below the hosts directory that the node has instead. */
function placesOf(path: string, hostsDir: string, observed: ObservedNode): string[] {
  const below = path.startsWith(`${hostsDir}/`) ? path.slice(hostsDir.length) : undefined;
  if (below === undefined) {
    return [path];
  }
  const owned = Object.keys(observed.owned).filter((place) => place.endsWith(below));
  return [path, ...owned, ...(observed.hostsDir === undefined ? [] : [`${observed.hostsDir}${below}`])];
}

/** What a node is to have, as declared now. */
export function desiredOf(inputs: NodeContainerdInputs, declaration: Declaration): DesiredRegistry {
  return { ...declaration, credentials: inputs.credentials, configStyle: inputs.configStyle ?? "auto" };
}

/** What a node was given, as the state has it. */
export function desiredBefore(outs: NodeContainerdOutputs, files: Record<string, string>): DesiredRegistry {
  return { ...mirrorOf(outs), files, credentials: outs.credentials, configStyle: outs.configStyle ?? "auto" };
}

/** Where the node's containerd was configured: what was found there then, also where another kind came beside it. */
export function layoutOf(outs: Pick<NodeContainerdOutputs, "layout" | "containerd">): LayoutChoice {
  return foundChoice(outs.layout, outs.containerd?.layout);
}

/** Whether another layout is declared than the one by which the node was configured; to name what was found is none. */
export function isOtherLayout(
  outs: Pick<NodeContainerdOutputs, "layout" | "containerd">,
  { layout }: Pick<NodeContainerdInputs, "layout">,
): boolean {
  return !sameValue(layoutOf(outs), foundChoice(layout, outs.containerd?.layout));
}

export function addressOf(connection: NodeConnection): string {
  return `${connection.host}:${connection.port ?? 22}`;
}
