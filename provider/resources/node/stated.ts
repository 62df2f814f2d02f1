import type { AuthKinds, DesiredHost } from "../../containerd/desired";
import { parseEndpointUrl } from "../../containerd/hostNames";
import type { Problem } from "../../model/problem";
import { invalidArgument } from "../../model/problem";
import { stableText } from "../../pulumi/plainValue";
import { parseRegistryEndpoint } from "../../registry/endpoint";
import type { EndpointSeen, Probe, PushedImage } from "../../registry/push/pushResult";
import type { ImageSelection } from "../../verify/selection";
import { selectImages } from "../../verify/selection";
import { attempt } from "../arguments/resolved";
import { shapeProblems } from "../arguments/shape";
import type { MirrorOutputs } from "../mirror/state";
import type { GivenPrepull } from "./prepull";
import { statePrepull } from "./prepull";
import { selectionProblems, shapes } from "./shapes";
import type { NodeVerify } from "./shownVerify";
import type { Declaration, DeclarationWithoutFiles } from "./state";
import type { Stated } from "./wire";

/** What a node takes from a mirror: outputs of a RegistryMirror, of this program or of another stack. */
type GivenMirror = Pick<MirrorOutputs, "hosts" | "hostsDir" | "endpoints" | "files">;

/** `declared.mirror` of the wire. */
export function stateMirror(given: GivenMirror): string {
  const problems = shapeProblems(given, shapes.mirror, "mirror");
  const { hosts, hostsDir, endpoints } = given;
  return text<DeclarationWithoutFiles>(
    problems.length > 0 ? { problems } : { value: { hosts, hostsDir, auth: authKinds(endpoints) } },
  );
}

/** The same as a value, with its files; undefined where it has problems, which its own check tells. */
export function declarationOf(given: GivenMirror): Declaration | undefined {
  const { value } = JSON.parse(stateMirror(given)) as Stated<DeclarationWithoutFiles>;
  return value === undefined ? undefined : { ...value, files: given.files };
}

/** `declared.files` of the wire. A mirror without files has problems, which `declared.mirror` tells. */
export function stateFiles(files: Record<string, string> | undefined): string {
  return stableText(files ?? {});
}

/** How a node's result is to be checked. */
export interface GivenVerify {
  /** The pushed images. */
  images?: PushedImage[] | undefined;
  probe?: Probe | undefined;
  /** Which of the images; default 1. */
  selection?: ImageSelection | undefined;
  onFailure?: "error" | "warn" | undefined;
  /** Default "warn". */
  coverage?: "warn" | "error" | false | undefined;
  /** Pulled when the verification is done. */
  prepull?: GivenPrepull | undefined;
  hosts: DesiredHost[];
}

/** `declared.verify` of the wire: which images a node compares, and what else its verification needs; false for none. */
export function stateVerify(given: GivenVerify | false, prepullAlone?: GivenPrepull): string {
  if (given === false) {
    return text<false>(
      prepullAlone === undefined
        ? { value: false }
        : {
            problems: [
              invalidArgument("prepull: it follows the verification, and verify is false; leave one of them out"),
            ],
          },
    );
  }
  const { images, probe, selection = 1, onFailure, coverage, prepull, hosts } = given;
  const problems = [
    ...selectionProblems(selection),
    ...shapeProblems({ images, verify: { onFailure, coverage } }, shapes.verify, ""),
  ];
  if (problems.length > 0) {
    return text<NodeVerify>({ problems });
  }
  const mirrored = Array.isArray(hosts) ? hosts : [];
  const found = attempt(() => selectImages(images ?? [], selection, mirrored));
  const early = prepull === undefined ? undefined : statePrepull(prepull, images, mirrored);
  return text<NodeVerify>(
    found.value === undefined || early?.problems !== undefined
      ? { problems: [...(found.problems ?? []), ...(early?.problems ?? [])] }
      : {
          value: {
            images: found.value,
            ...(probe === undefined ? {} : { probe }),
            ...(onFailure === "warn" ? { onFailure } : {}),
            ...(coverage === undefined || coverage === "warn" ? {} : { coverage }),
            ...(early === undefined ? {} : { prepull: early.value }),
          },
        },
  );
}

function text<T>(stated: { value: T } | { problems: Problem[] }): string {
  return stableText(stated satisfies Stated<T>);
}

function authKinds(endpoints: readonly EndpointSeen[]): AuthKinds {
  return Object.fromEntries(
    endpoints.flatMap(({ endpoint, auth }) => {
      const { authority } = parseRegistryEndpoint(endpoint);
      // A private registry goes by its name as it is written, also where that is an address without a port.
      const asWritten = parseEndpointUrl(endpoint)?.authority ?? authority;
      return [...new Set([authority, asWritten])].map((place) => [place, auth]);
    }),
  );
}
