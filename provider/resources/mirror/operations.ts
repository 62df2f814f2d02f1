import { createHash } from "node:crypto";

import type { Credentials } from "../../containerd/desired";
import { dialTimeoutNote, hasDialTimeout } from "../../containerd/plan/dialTimeout";
import type { OperationContext } from "../../model/context";
import { MirrorError } from "../../model/errors";
import { lineDiff } from "../../model/lineDiff";
import type { Difference, Operations } from "../../pulumi/boundary";
import { dynamicProvider } from "../../pulumi/boundary";
import { holdsUnknown, sameValue } from "../../pulumi/plainValue";
import type { EndpointSeen } from "../../registry/push/pushResult";
import { askEndpoints } from "./endpoints";
import type { MirrorOutputs } from "./state";
import type { MirrorWire } from "./wire";

/** URNs of those that a diff was asked for in this run: of one that is replaced the engine asks for another check, as if it were new. */
const compared = new Set<string | undefined>();

/** @internal For tests of what a preview says. */
export const operations: Operations<MirrorWire, MirrorOutputs> = {
  // A preview shows what changes, but of something new only the beginning of each text (and no diff is asked for): so
  // it is shown here.
  check(olds, news) {
    const isNew = olds.files === undefined && !holdsUnknown([news.files, news.hosts]) && !compared.has(urnOf(news));
    return { inputs: news, notes: isNew ? describeChange({}, news) : [] };
  },

  diff(olds, news): Difference {
    compared.add(urnOf(news) ?? urnOf(olds));
    if (!holdsUnknown(news) && sameValue(comparedInputs(olds), comparedInputs(news))) {
      return { changes: false };
    }
    const notes = holdsUnknown([news.files, news.hosts]) ? [] : describeChange(olds, news);
    const replaces =
      !holdsUnknown(news.mirrors) && !sameValue(olds.mirrors, news.mirrors) ? { replaces: ["mirrors"] } : {};
    return { changes: true, ...replaces, notes: [...notes, ...credentialNotes(olds.credentials, news.credentials)] };
  },

  async create(inputs, context) {
    const id = `mirror-${createHash("sha256").update(JSON.stringify(inputs.mirrors)).digest("hex").slice(0, 12)}`;
    return { id, outs: { ...inputs, endpoints: await checkEndpoints(inputs, context) } };
  },

  async read(_id, outs, context) {
    // What the endpoints were seen to be decides where a node keeps the mirror's credentials, and a registry may
    // have been set up anew since: `up` brings the nodes what this finds.
    const { seen, failures } = await askEndpoints(outs, context);
    for (const failure of failures) {
      context.log.warn(`the mirror could not be asked, what was seen of it before is kept: ${failure}`);
    }
    const now = new Map(seen.map((one) => [one.endpoint, one]));
    const endpoints = outs.endpoints.map((before) => now.get(before.endpoint) ?? before);
    for (const before of outs.endpoints) {
      const found = now.get(before.endpoint);
      if (found !== undefined && !sameValue(found, before)) {
        context.log.warn(
          `${before.endpoint}: ${describe(found)} by now, it was: ${describe(before)}; pulumi up adapts the nodes`,
        );
      }
    }
    return { outs: { ...outs, endpoints } };
  },

  async update(_id, _olds, news, context) {
    return { ...news, endpoints: await checkEndpoints(news, context) };
  },

  // Nothing of its own lies anywhere: the nodes give back what they had.
  delete: () => Promise.resolve(),
};

export const registryMirror = dynamicProvider(operations);

/** Undefined in what a program of 0.1.0 wrote. */
function urnOf(properties: object): string | undefined {
  return (properties as { resourceUrn?: string }).resourceUrn;
}

type Rendered = Pick<MirrorWire, "files" | "hosts">;

/** The files' changed lines, once for all nodes. */
function describeChange(before: Partial<Rendered>, after: Rendered): string[] {
  const lines = lineDiff(before.files ?? {}, after.files);
  // Said when it comes, not at each later change.
  const isNew = hasDialTimeout(after.hosts) && !hasDialTimeout(before.hosts ?? []);
  const notes = isNew ? [dialTimeoutNote] : [];
  return lines.length > 0 ? ["on every node that uses this mirror:", ...lines, ...notes] : [];
}

/** Credentials are secrets, so Pulumi shows nothing of a change of them: the note names only whose they are. */
function credentialNotes(before: Credentials, after: Credentials): string[] {
  if (holdsUnknown(after)) {
    return ["the credentials are known in the update"];
  }
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].sort().flatMap((key) => {
    if (!Object.hasOwn(before, key)) {
      return [`a credential for ${key} is added`];
    }
    if (!Object.hasOwn(after, key)) {
      return [`the credential for ${key} is taken away`];
    }
    return sameValue(before[key], after[key]) ? [] : [`the credential for ${key} is another one`];
  });
}

function comparedInputs(inputs: MirrorWire): unknown {
  const { mirrors, insecure, hosts, files, credentials, hostsDir, checkEndpoints } = inputs;
  return { mirrors, insecure, hosts, files, credentials, hostsDir, checkEndpoints };
}

/** Asks each endpoint, so that a wrong CA or password stops here and not on the first node. */
async function checkEndpoints(inputs: MirrorWire, context: OperationContext): Promise<EndpointSeen[]> {
  const { seen, failures } = await askEndpoints(inputs, context);
  if (failures.length > 0) {
    throw new MirrorError(
      "MIRROR_UNUSABLE",
      `${failures.length === 1 ? "a registry does" : `${failures.length} registries do`} not answer as the nodes need ` +
        "it. No node has been touched. (Where only the nodes can reach a registry, set checkEndpoints: false.)",
      { reasons: failures },
    );
  }
  return seen;
}

function describe({ auth, authenticated }: EndpointSeen): string {
  const kind = { none: "asks for no credentials", basic: "asks for user and password", bearer: "asks for a token" }[
    auth
  ];
  return authenticated ? kind : `${kind} and was given none`;
}
