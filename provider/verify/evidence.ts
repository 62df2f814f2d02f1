import type { EffectiveRegistry } from "../containerd/containerdPlan";
import type { DesiredHost } from "../containerd/desired";
import { effectiveHost } from "../containerd/read/effectiveRegistry";
import { missingAccess } from "../containerd/read/missingAccess";
import type { OperationContext } from "../model/context";
import { isDigest } from "../model/digest";
import type { Finding } from "../model/finding";
import { parseReference } from "../model/reference";
import type { PullFailure } from "../node";
import { pullFailure } from "../node";
import { imageNameBase, parseRegistryEndpoint } from "../registry/endpoint";
import type { Probe } from "../registry/push/pushResult";

/** The part of CRI that verification needs; provider/node's CriClient is one. */
export interface ImageService {
  pullImage(reference: string): Promise<string>;
  imageStatus(reference: string): Promise<ImageStatus | undefined>;
  removeImage(reference: string): Promise<void>;
}

export interface ImageStatus {
  repoDigests: string[];
}

/** One image to compare: the public name, the mirror's name and the digest that was pushed. */
export interface ExpectedImage {
  source: string;
  target: string;
  digest: string;
}

export interface HostEvidence {
  host: string;
  /** The mirrors that ought to be asked, in order. */
  expectedEndpoints: string[];
  /** What the effective configuration asks, in order; empty when the host is not configured. */
  effectiveEndpoints: string[];
  /** The public registry would be asked last although skipFallback was wanted. */
  unwantedUpstream: boolean;
  /** A private registry without a mirror: there is no route to prove. */
  direct?: true;
  /** What the effective configuration lacks of a private registry's CA and credentials. */
  missing?: Finding[];
  probe: { state: "pulled" } | FailedProbe | { state: "none" };
}

export interface FailedProbe {
  state: "failed";
  /** Of the public name. Where a public registry stands behind the mirrors, these are often its words, not theirs. */
  public: PullFailure;
  /** What each mirror answered by its own name, in order; without those that this containerd cannot name. */
  mirrors: MirrorAnswer[];
}

export interface MirrorAnswer {
  endpoint: string;
  /** Left out when the mirror gave the probe. */
  failure?: PullFailure;
}

export interface ImageEvidence extends ExpectedImage {
  publicDigest: string;
  mirrorDigest: string;
  publicFailure?: PullFailure;
  mirrorFailure?: PullFailure;
  /**
   * What the public name should have asked before the public registry; its host is not mirrored where it is left out.
   */
  asked?: { endpoints: string[]; upstream: boolean };
  /** The node's containerd cannot name an image by this mirror's address, so only the public name was pulled. */
  mirrorUnnameable?: true;
}

export interface Evidence {
  hosts: HostEvidence[];
  images: ImageEvidence[];
  /** What makes the effective configuration void (legacy and new tables together, an ignored config_path list ...). */
  findings: Finding[];
  /** What a person should know of this node whatever the verdict. */
  remarks?: Finding[];
}

/** The public name's stand-in for `_default`: a host that no other entry names and that exists nowhere (RFC 2606). */
const unnamedHost = "registry-mirror-probe.invalid";

/** Asks one node for everything the verdict rests on. The node's images are afterwards what they were before. */
export async function gatherEvidence(
  service: ImageService,
  wanted: {
    hosts: DesiredHost[];
    images: ExpectedImage[];
    probe: Probe | undefined;
    effective: EffectiveRegistry;
    remarks?: Finding[];
    canName?: (authority: string) => boolean;
  },
  context: OperationContext,
): Promise<Evidence> {
  const hosts: HostEvidence[] = [];
  const canName = wanted.canName ?? (() => true);
  const answers = new Map<string, Promise<PullFailure | undefined>>();
  for (const host of wanted.hosts.filter((h) => h.mirrors.length > 0 || h.access !== undefined)) {
    const effective = wanted.effective.hosts[host.host];
    const missing = missingAccess(host, effective);
    const seen = {
      host: host.host,
      expectedEndpoints: host.mirrors.map((mirror) => mirror.endpoint),
      effectiveEndpoints: effective?.endpoints ?? [],
      unwantedUpstream: host.skipFallback && (effective?.upstream ?? true),
      ...(missing.length > 0 ? { missing } : {}),
    };
    if (host.mirrors.length === 0) {
      hosts.push({ ...seen, direct: true, probe: { state: "none" } });
      continue;
    }
    context.log.progress(`proving that ${host.host} comes from the mirror`);
    hosts.push({
      ...seen,
      probe:
        wanted.probe === undefined
          ? { state: "none" }
          : await pullProbeFromHost(service, host, wanted.probe, { canName, answers }),
    });
  }
  const images: ImageEvidence[] = [];
  for (const [n, image] of wanted.images.entries()) {
    context.log.progress(`comparing digests, image ${n + 1} of ${wanted.images.length}: ${image.source}`);
    const asked = effectiveHost(wanted.effective, parseReference(image.source).host);
    const found = await compare(service, image, canName(image.target.split("/")[0] ?? ""));
    images.push(
      asked === undefined ? found : { ...found, asked: { endpoints: asked.endpoints, upstream: asked.upstream } },
    );
  }
  return { hosts, images, findings: wanted.effective.findings, remarks: wanted.remarks ?? [] };
}

/** What all hosts of a node share: a mirror of twenty hosts is asked once by its own name. */
interface Asking {
  canName: (authority: string) => boolean;
  answers: Map<string, Promise<PullFailure | undefined>>;
}

/**
 * B1. Through the host's public name; where that fails, each mirror is asked by its own name, because with a public
 * registry behind it the error that containerd reports is the public registry's (`not found`), whatever the mirror had
 * answered.
 */
async function pullProbeFromHost(
  service: ImageService,
  host: DesiredHost,
  probe: Probe,
  asking: Asking,
): Promise<HostEvidence["probe"]> {
  const publicHost = host.host === "_default" ? unnamedHost : host.host;
  const failure = await pullProbe(service, `${publicHost}/${probe.repository}@${probe.digest}`, probe);
  if (failure === undefined) {
    return { state: "pulled" };
  }
  const mirrors: MirrorAnswer[] = [];
  for (const { endpoint } of host.mirrors) {
    const address = parseRegistryEndpoint(endpoint);
    if (!asking.canName(address.authority)) {
      continue;
    }
    const name = `${imageNameBase(address)}/${probe.repository}@${probe.digest}`;
    const answer = asking.answers.get(name) ?? pullProbe(service, name, probe);
    asking.answers.set(name, answer);
    const said = await answer;
    mirrors.push({ endpoint, ...(said === undefined ? {} : { failure: said }) });
  }
  return { state: "failed", public: failure, mirrors };
}

/**
 * By digest, so that nothing but this image will do. It is taken off the node before (an image that is there is not
 * asked for again) and after. Gives why it did not come, or undefined.
 */
async function pullProbe(service: ImageService, name: string, probe: Probe): Promise<PullFailure | undefined> {
  try {
    await service.removeImage(name);
    await service.pullImage(name);
    const status = await service.imageStatus(name);
    await service.removeImage(name);
    const got = status?.repoDigests.some((repoDigest) => repoDigest.endsWith(`@${probe.digest}`)) ?? false;
    return got ? undefined : { cause: "other", error: `${name} was pulled but the node does not list its digest` };
  } catch (error) {
    return pullFailure(error);
  }
}

/** V1: pull the public and the mirror's name, compare the repo digests. */
async function compare(service: ImageService, image: ExpectedImage, nameable: boolean): Promise<ImageEvidence> {
  const names = nameable ? [image.source, image.target] : [image.source];
  const before =
    (await service.imageStatus(image.source)) ?? (nameable ? await service.imageStatus(image.target) : undefined);
  const publicSide = await pulledDigest(service, image.source);
  const mirrorSide: PulledDigest = nameable ? await pulledDigest(service, image.target) : { digest: "" };
  if (before === undefined) {
    // CRI removes an image with all its names; one that was there before keeps them.
    for (const name of names) {
      await service.removeImage(name).catch(() => undefined);
    }
  }
  return {
    ...image,
    publicDigest: publicSide.digest,
    mirrorDigest: mirrorSide.digest,
    ...(publicSide.failure === undefined ? {} : { publicFailure: publicSide.failure }),
    ...(mirrorSide.failure === undefined ? {} : { mirrorFailure: mirrorSide.failure }),
    ...(nameable ? {} : { mirrorUnnameable: true as const }),
  };
}

interface PulledDigest {
  digest: string;
  failure?: PullFailure;
}

async function pulledDigest(service: ImageService, name: string): Promise<PulledDigest> {
  try {
    await service.pullImage(name);
    const status = await service.imageStatus(name);
    const digest = repoDigestOf(status, name) ?? "";
    if (isDigest(digest)) {
      return { digest };
    }
    return { digest: "", failure: { cause: "other", error: `the node lists no digest for ${name}` } };
  } catch (error) {
    return { digest: "", failure: pullFailure(error) };
  }
}

/** An image has a repo digest for each name it was pulled by: only that of the name asked for counts. */
export function repoDigestOf(status: ImageStatus | undefined, name: string): string | undefined {
  const prefix = `${repositoryOf(name)}@`;
  return status?.repoDigests.find((repoDigest) => repoDigest.startsWith(prefix))?.slice(prefix.length);
}

function repositoryOf(name: string): string {
  const bare = name.split("@")[0] ?? name;
  const colon = bare.lastIndexOf(":");
  return colon > bare.lastIndexOf("/") ? bare.slice(0, colon) : bare;
}
