import type * as pulumi from "@pulumi/pulumi";

import { withCode } from "../model/codes";
import type { OperationContext } from "../model/context";
import { messageOf, MirrorError, textWithCode } from "../model/errors";
import type { Problem } from "../model/problem";
import { problemOf, problemText } from "../model/problem";
import { redact } from "../model/redact";
import { engineLog } from "./engineLog";
import { withoutUndefined } from "./plainValue";
import { secretsIn } from "./redaction";

/** What a resource does, in plain values. The boundary below is the only place that speaks Pulumi's dialect. */
export interface Operations<I, O, W = I> {
  /**
   * Pure and quick: no SSH, no registry. Makes the inputs out of what the program sends (`W`), where that is not the
   * same; problems are errors that stop before anything is touched; notes are shown in a preview, on the resource's
   * line. A promise only for notes that this machine's cache has something to say to.
   */
  check(olds: Partial<I>, news: W): Checked<I> | Promise<Checked<I>>;
  /**
   * Pure and quick. `olds` are the last outputs; parts of `news` may be unknown in a preview. `notes` are shown in a
   * preview. A promise as of check; and for a push set that has images to prune, which the state alone knows, so that
   * nobody else could ask the nodes for them.
   */
  diff(olds: O, news: I): Difference | Promise<Difference>;
  create(inputs: I, context: OperationContext): Promise<{ id: string; outs: O }>;
  read(id: string, outs: O, context: OperationContext): Promise<Refreshed<I, O>>;
  update(id: string, olds: O, news: I, context: OperationContext): Promise<O>;
  delete(id: string, outs: O, context: OperationContext): Promise<void>;
}

export interface Checked<I> {
  inputs: I;
  problems?: Problem[];
  notes?: string[];
  /** As of a difference. */
  warnings?: string[];
  /** As of a difference. */
  status?: string;
}

/**
 * `inputs` only when they differ from what was declared (drift): they make the changed lines visible. "gone" only when
 * truly gone.
 */
export type Refreshed<I, O> = { outs: O; inputs?: I } | "gone";

export interface Difference {
  changes: boolean;
  /** Names of the inputs that force a replacement. */
  replaces?: string[];
  deleteBeforeReplace?: boolean;
  /** Lines for the reviewer, below the plan. */
  notes?: string[];
  /** What the update would fail on, or what a reviewer must not overlook. */
  warnings?: string[];
  /** More of both, for a preview alone: what others have to be asked for. */
  review?: () => Promise<Pick<Difference, "notes" | "warnings">>;
  /** A few words for the reviewer, on the resource's own line: for what would be said of many. */
  status?: string;
}

/**
 * Thrown by create or update when part of the work is done: what is done is kept in the state, and the error is
 * reported.
 */
export class PartialFailure<O> extends MirrorError {
  readonly outs: O;
  readonly id: string | undefined;

  constructor(error: MirrorError, outs: O, id?: string) {
    super(error.code, error.message, { cause: error, reasons: error.reasons });
    this.outs = outs;
    this.id = id;
  }
}

/** Wire properties that every resource of this package carries. */
interface Wired {
  /** `urn` itself is taken: it is every resource's own output. */
  resourceUrn?: string;
  /** Made at program time; check reports them, so that all of a resource stand on its own line. */
  problems?: Problem[];
  /** True in a preview; taken out by check, so that the state never has it. */
  dryRun?: boolean;
  __provider?: unknown;
}

type Wire<T> = T & Wired;

/**
 * Makes Pulumi's dynamic provider out of plain operations: one place for undefined, errors, partial state, progress and
 * secrets.
 */
export function dynamicProvider<I extends object, O extends object, W extends object = I>(
  operations: Operations<I, O, W>,
): pulumi.dynamic.ResourceProvider {
  const differenceOf = async (olds: O, news: I): Promise<Difference> => {
    try {
      return await operations.diff(olds, news);
    } catch (error) {
      throw plainError(error, news);
    }
  };
  // Notes are for the review, not for the rollout. Only check learns from the program whether this is a preview;
  // each has a provider process of its own, in which a resource is checked first.
  let previewing = false;
  const review = (
    { resourceUrn }: Wired,
    properties: object,
    { notes = [], warnings = [], status }: Pick<Difference, "notes" | "warnings" | "status">,
  ): void => {
    if (!previewing || (notes.length === 0 && warnings.length === 0 && status === undefined)) {
      return;
    }
    const log = engineLog(resourceUrn, secretsIn(properties));
    if (notes.length > 0) {
      log.info(notes.join("\n"));
    }
    if (warnings.length > 0) {
      log.warn(warnings.join("\n"));
    }
    if (status !== undefined) {
      log.progress(status);
    }
  };
  return {
    async check(olds: Wire<Partial<I>>, news: Wire<W>) {
      const { problems: found, dryRun, ...rest } = news;
      previewing = dryRun === true;
      const problems = Array.isArray(found) ? found : [];
      if (problems.length > 0) {
        return checkResult(problems, news);
      }
      try {
        const { inputs, problems = [], ...shown } = await operations.check(olds, rest as unknown as W);
        review(news, news, shown);
        return problems.length > 0 ? checkResult(problems, news) : { inputs: withoutUndefined(inputs) };
      } catch (error) {
        if (error instanceof MirrorError) {
          return checkResult([problemOf(error)], news);
        }
        throw error;
      }
    },

    async diff(_id: string, olds: Wire<O>, news: Wire<I>) {
      const { notes = [], warnings = [], status, review: more, ...difference } = await differenceOf(olds, news);
      const asked = previewing ? await more?.() : undefined;
      review(news, news, {
        notes: [...notes, ...(asked?.notes ?? [])],
        warnings: [...warnings, ...(asked?.warnings ?? [])],
        ...(status === undefined ? {} : { status }),
      });
      return difference;
    },

    async create(inputs: Wire<I>) {
      try {
        const { id, outs } = await operations.create(inputs, contextOf(inputs));
        return { id, outs: withoutUndefined({ ...outs, resourceUrn: inputs.resourceUrn }) };
      } catch (error) {
        throw partialError(error, inputs, undefined);
      }
    },

    async read(id: string, outs?: Wire<O>) {
      const props = outs ?? ({} as Wire<O>);
      try {
        const result = await operations.read(id, props, contextOf(props));
        if (result === "gone") {
          return {};
        }
        return withoutUndefined({
          id,
          props: { ...result.outs, resourceUrn: props.resourceUrn },
          inputs: result.inputs === undefined ? undefined : { ...result.inputs, resourceUrn: props.resourceUrn },
        });
      } catch (error) {
        throw plainError(error, props);
      }
    },

    async update(id: string, olds: Wire<O>, news: Wire<I>) {
      try {
        return {
          outs: withoutUndefined({
            ...(await operations.update(id, olds, news, contextOf(news))),
            resourceUrn: news.resourceUrn,
          }),
        };
      } catch (error) {
        throw partialError(error, news, id);
      }
    },

    async delete(id: string, outs: Wire<O>) {
      try {
        await operations.delete(id, outs, contextOf(outs));
      } catch (error) {
        throw plainError(error, outs);
      }
    },
  };
}

/** A failure on a named secret property prints the secret; an empty property never does. */
function checkResult(problems: Problem[], news: object): pulumi.dynamic.CheckResult {
  const secrets = secretsIn(news);
  return {
    failures: problems.map((problem) => ({ property: "", reason: redact(problemText(problem), secrets) })),
  };
}

function contextOf(properties: Wired): OperationContext {
  // Pulumi does not tell a dynamic provider of a cancellation, so the signal never fires by itself; the rooms take one
  // all the same.
  return {
    urn: properties.resourceUrn,
    signal: new AbortController().signal,
    log: engineLog(properties.resourceUrn, secretsIn(properties)),
  };
}

/** What is not an error of ours is a defect, and has a code too. */
function firstLine(error: unknown): string {
  return error instanceof MirrorError ? textWithCode(error) : withCode(messageOf(error), "UNEXPECTED");
}

function plainError(error: unknown, properties: object): Error {
  const reasons = error instanceof MirrorError ? error.reasons : [];
  const text = [firstLine(error), ...reasons.map((reason) => `  - ${reason}`)].join("\n");
  return new Error(redact(text, secretsIn(properties)));
}

/**
 * What Pulumi's dynamic-provider server turns into "created, but": an error with id and properties keeps them in the
 * state.
 */
function partialError(error: unknown, inputs: Wired, id: string | undefined): Error {
  const shown = plainError(error, inputs);
  if (!(error instanceof PartialFailure)) {
    return shown;
  }
  const secrets = secretsIn(inputs);
  return Object.assign(shown, {
    id: error.id ?? id,
    // Unlike a result, an error's properties are taken as they are: without __provider the next read or delete finds no
    // provider.
    properties: withoutUndefined({
      ...(error.outs as object),
      resourceUrn: inputs.resourceUrn,
      __provider: inputs.__provider,
    }),
    // The engine shows the reasons and not the message.
    reasons: [firstLine(error), ...error.reasons].map((reason) => redact(reason, secrets)),
  });
}
