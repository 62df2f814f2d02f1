import * as pulumi from "@pulumi/pulumi";

import { silentLog } from "../../provider/model/context";
import type { EndpointSeen } from "../../provider/registry/push/pushResult";
import { connectionProblems } from "../../provider/resources/node/connectionProblems";
import type { Look } from "../../provider/resources/node/look";
import { lookAtNode } from "../../provider/resources/node/look";
import type { LookWire } from "../../provider/resources/node/lookReview";
import { declarationOf } from "../../provider/resources/node/stated";
import { SharedQuestions } from "../../provider/verify/coverage/sharedQuestions";
import { whenKnown } from "../known";
import { endpointsSeen } from "../mirror/endpointsSeen";
import { plannedImages } from "../pushSet/plannedImages";
import { Turns } from "../turns";
import type { MirrorSource, NodeContainerdArgs } from "./nodeContainerd";

/** How a preview looks at nodes. */
export interface LookArgs {
  /** Seconds for one node, from the first dial to the last answer. Default 20. */
  timeout?: number;
  /** Most nodes that are looked at side by side in this program. Default 16. */
  maxParallel?: number;
  /**
   * What an update would fail on (a node that cannot be reached, that belongs to another stack, whose configuration does
   * not parse) is a warning of the preview ("warn", default) or fails it ("error").
   */
  onProblem?: "warn" | "error";
  /**
   * Whether the mirrors are asked, by one HEAD an image for all nodes together, which of the images on the nodes they
   * would serve. Default true, unless `verify.coverage` is false.
   */
  coverage?: boolean;
}

const defaults = { timeout: 20, maxParallel: 16, onProblem: "warn" } as const;

/** What nodes of one program have in common. */
const turns = new Map<number, Turns>();
const looks = new WeakMap<object, Promise<Look>>();

/** Of a node's resource, where a preview has looked. */
export function lookOf(node: object): Promise<Look> | undefined {
  return looks.get(node);
}

export function rememberLook(node: object, look: Promise<Look> | undefined): void {
  if (look !== undefined) {
    looks.set(node, look);
  }
}

/** The look of a preview; undefined where there is none: in an update, with `look: false`, and of a node that is held. */
export function startLook(args: NodeContainerdArgs): Promise<Look> | undefined {
  if (args.look === false || !isPreview() || isTurnedOff()) {
    return undefined;
  }
  const { timeout = defaults.timeout, maxParallel = defaults.maxParallel } = args.look ?? {};
  let own = turns.get(maxParallel);
  if (own === undefined) {
    own = new Turns(maxParallel);
    turns.set(maxParallel, own);
  }
  return look(args, timeout, own);
}

/** `look` of the node's wire. */
export function lookWire(look: Promise<Look> | undefined, args: NodeContainerdArgs): Promise<string> | undefined {
  const onProblem = args.look === false ? "warn" : (args.look?.onProblem ?? defaults.onProblem);
  return look?.then((seen) => JSON.stringify({ look: seen, onProblem } satisfies LookWire));
}

/** Unit tests of programs, on Pulumi's mocks, have no engine: nothing must go out from those. */
function isPreview(): boolean {
  return pulumi.runtime.isDryRun() && pulumi.runtime.getEngine() !== undefined;
}

function isTurnedOff(): boolean {
  return new pulumi.Config("registry-mirror").getBoolean("look") === false;
}

async function look(args: NodeContainerdArgs, timeout: number, own: Turns): Promise<Look> {
  const { connection, configStyle, layout, hold } = args;
  const held = await whenKnown(hold);
  if (held?.value === true) {
    return { unknown: "it is held" };
  }
  const at = await whenKnown(connection as pulumi.Input<LookedConnection>);
  if (at === undefined) {
    return { unknown: "how to reach it is known in the update" };
  }
  if (connectionProblems(at.value).length > 0) {
    return { unknown: "its connection is not declared rightly" };
  }
  const [declared, style, place] = await Promise.all([
    declaration(args.mirror),
    whenKnown(configStyle),
    whenKnown(layout),
  ]);
  if (declared === undefined || style === undefined || place === undefined) {
    return { unknown: "what it is to have is known in the update" };
  }
  const request = {
    connection: at.value,
    ...declared,
    ...(style.value === undefined ? {} : { configStyle: style.value }),
    ...(place.value === undefined ? {} : { layout: place.value }),
    timeout,
  };
  if (!coverageIsAsked(args)) {
    return own.run(() => lookAtNode(request, context));
  }
  const planned = await plannedImages(args.images);
  return questions.use((asking) => own.run(() => lookAtNode({ ...request, questions: asking, planned }, context)));
}

const context = { signal: new AbortController().signal, log: silentLog };

const questions = new SharedQuestions();

function coverageIsAsked({ look: looking, verify }: NodeContainerdArgs): boolean {
  const byVerify = verify === false || verify?.coverage !== false;
  return looking === false ? false : (looking?.coverage ?? byVerify);
}

type LookedConnection = Parameters<typeof lookAtNode>[0]["connection"];
type Declared = Pick<Parameters<typeof lookAtNode>[0], "declaration" | "credentials">;

/** Once for all nodes of a mirror. */
const declarations = new WeakMap<MirrorSource, Promise<Declared | undefined>>();

function declaration(mirror: MirrorSource): Promise<Declared | undefined> {
  let made = declarations.get(mirror);
  if (made === undefined) {
    made = makeDeclaration(mirror);
    declarations.set(mirror, made);
  }
  return made;
}

async function makeDeclaration({
  hosts,
  hostsDir,
  files,
  credentials,
  endpoints,
}: MirrorSource): Promise<Declared | undefined> {
  const known = await whenKnown(pulumi.output({ hosts, hostsDir, files, credentials }));
  const seen: EndpointSeen[] | undefined = known === undefined ? undefined : await endpointsSeen(endpoints);
  if (known === undefined || seen === undefined) {
    return undefined;
  }
  const { credentials: secrets, ...given } = known.value;
  const made = declarationOf({ ...given, endpoints: seen });
  return made === undefined ? undefined : { declaration: made, credentials: secrets };
}
