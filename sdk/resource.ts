import * as pulumi from "@pulumi/pulumi";

import { framesOfProgram } from "./stackFrames";

/** Names of the providers that provider/index.ts exports. */
export type ProviderName = "imagePushSet" | "registryMirror" | "nodeContainerd";

/**
 * The code that the state carries for a resource. Pulumi's own serialization would put 1 kB (or, captured by value, the
 * whole library as it was that day) into inputs and outputs of every resource, and refresh and destroy would go on
 * running that old code (pulumi/pulumi#6490). This is the same format, written by hand: it loads whatever version of
 * the package is installed beside the program.
 */
function stub(provider: ProviderName): string {
  return `exports.handler = () => require("pulumi-registry-mirror/provider").${provider};`;
}

/** The base of this package's resources: type `pulumi-nodejs:dynamic/registry-mirror:NAME`. */
export abstract class MirrorResource extends pulumi.CustomResource {
  protected constructor(
    type: string,
    provider: ProviderName,
    name: string,
    props: pulumi.Inputs,
    opts?: pulumi.CustomResourceOptions,
  ) {
    const token = `pulumi-nodejs:dynamic/registry-mirror:${type}`;
    const inputs = {
      ...props,
      // Progress can be attached to the resource's own line only by its URN, which a dynamic provider is not told.
      resourceUrn: opts?.parent ? urnBelow(opts.parent, token, name) : urnOf(token, name),
      ...(pulumi.runtime.isDryRun() ? { dryRun: true } : {}),
      __provider: stub(provider),
    };
    // For each property Pulumi notes four times where it was made, through source maps: most of a program's time and
    // memory with a thousand nodes, for a debugging aid (PULUMI_DEBUG_PROMISE_LEAKS). An error keeps its stack.
    const { stackTraceLimit } = Error;
    // eslint-disable-next-line @typescript-eslint/unbound-method -- a hook, called by V8 without an object
    const { prepareStackTrace } = Error;
    const debugging = process.env["PULUMI_DEBUG_PROMISE_LEAKS"] !== undefined;
    Error.stackTraceLimit = debugging ? stackTraceLimit : 0;
    Error.prepareStackTrace = framesOfProgram(prepareStackTrace, __filename);
    const restore = (): void => {
      Error.stackTraceLimit = stackTraceLimit;
      Error.prepareStackTrace = prepareStackTrace;
    };
    try {
      super(token, name, inputs, opts);
    } catch (error) {
      restore();
      throw debugging || !(error instanceof Error) ? error : withStack(error);
    } finally {
      restore();
    }
  }

  /** Whether a value is one of this package's resources of a type, also when two copies of the package are loaded. */
  protected static isType(value: unknown, type: string): boolean {
    return (
      pulumi.CustomResource.isInstance(value) &&
      (value as unknown as { __pulumiType?: string }).__pulumiType?.endsWith(`:${type}`) === true
    );
  }
}

/** A text and no output, as pulumi.createUrn would give: each output of a thousand nodes counts. */
function urnOf(token: string, name: string): string {
  return `urn:pulumi:${pulumi.getStack()}::${pulumi.getProject()}::${token}::${name}`;
}

/** What the URNs of a resource's children begin with. */
const prefixes = new WeakMap<pulumi.Resource, Promise<string>>();

/**
 * The parent's URN goes in as a bare value. As an output of the parent it would make the parent a dependency; Pulumi
 * takes a component for all of its children then, so two children of one component would wait for each other for ever.
 */
async function urnBelow(parent: pulumi.Resource, token: string, name: string): Promise<string> {
  let prefix = prefixes.get(parent);
  if (prefix === undefined) {
    prefix = new Promise((resolve) => pulumi.createUrn("", "", parent).apply(resolve));
    prefixes.set(parent, prefix);
  }
  // Of `PREFIX::` with an empty type and name.
  return `${(await prefix).replace(/::$/, "")}${token}::${name}`;
}

function withStack(error: Error): Error {
  Error.captureStackTrace(error, MirrorResource);
  return error;
}
