import { randomBytes } from "node:crypto";
import { hostname } from "node:os";

import type { ContainerdPlan } from "../../containerd/containerdPlan";
import type { LayoutChoice } from "../../containerd/layout/layouts";
import { isCriDisabled } from "../../containerd/read/criDisabled";
import { type Finding, findingAbout } from "../../model/finding";
import type { CriClient } from "../cri/criClient";
import type { Node } from "../node";
import { observeCommand } from "../observation/command";
import { type NodeObservation, observeNode } from "../observation/observation";
import { type Holder, holderOf, type NodeOwner, requireOwnership } from "../ownership";
import type { NodeRecord } from "../record";
import type { Reply, ShellSession } from "../session/session";
import type { ChangeSet } from "./change";
import { changeToRestore } from "./changeSet";
import { intend, savedTexts } from "./intent";
import { type StepListener, Transaction } from "./transaction";
import type { Undone } from "./undone";

export interface ApplyOptions<T> {
  /** Who configures the node. A second owner is refused. */
  owner: NodeOwner;
  /** Take the node over from another owner. Its next delete then leaves the node alone. */
  adopt?: boolean;
  /** Hosts directories to read besides containerd's usual ones. */
  hostsDirs?: string[];
  /** Default "auto". */
  layout?: LayoutChoice;
  /**
   * From what is there to what is to be done; called with the node locked. What it throws ends the apply with nothing
   * touched.
   */
  plan: (observed: NodeObservation) => ContainerdPlan | Promise<ContainerdPlan>;
  /** Decides whether the change stays: what it throws undoes it. Also called when nothing had to change. */
  verify?: (node: { cri: CriClient; plan: ContainerdPlan; observed: NodeObservation; changed: boolean }) => Promise<T>;
  /** Seconds for the restart of containerd's unit. Default 120. */
  restartTimeout?: number;
  /** Seconds for CRI to answer after a restart. Default 60. */
  criTimeout?: number;
  /** Seconds to wait for another program that is at work on the node. Default 120. */
  lockTimeout?: number;
  /** Told before each step; for progress and for tests that break things at a given point. */
  onStep?: StepListener;
}

export interface ApplyResult<T> {
  plan: ContainerdPlan;
  /** What was there before. */
  observed: NodeObservation;
  /** Whose the node was. */
  holder: Holder;
  changed: boolean;
  restarts: number;
  /** What `verify` gave. */
  verification: T | undefined;
  /**
   * What a person should know; of the plan, of files that others changed, of an earlier run that had to be taken back.
   * No secrets.
   */
  notes: Finding[];
  /** How often the operator's machine waited for the node: what counts on a slow line. A test keeps them few. */
  roundTrips: number;
}

/**
 * Brings a node to a plan, as one transaction: lock, take back what an earlier run left unfinished, read, plan, stage,
 * check, swap, restart only when containerd's own configuration changes and then once, wait for CRI, verify, commit; or
 * everything back.
 */
export async function applyToNode<T = undefined>(node: Node, options: ApplyOptions<T>): Promise<ApplyResult<T>> {
  return withNodeLock(node, options, async (session, transaction, recovered, seen) => {
    const onStep = options.onStep ?? (() => {});
    await onStep("observe");
    const observed = await observeNode(session, node.name, { ...readingOf(options), first: seen });
    const holder = requireOwnership(node.name, observed.record, options.owner, options.adopt === true);
    const { plan, change, restart, changed } = await intend(session, observed, {
      node: node.name,
      owner: options.owner,
      id: transaction.id,
      plan: options.plan,
    });
    const cri = node.cri(observed.socketPath);
    try {
      const verify = async () => {
        if (restart && changed) {
          await onStep("cri");
          await cri.waitReady((options.criTimeout ?? 60) * 1000);
        }
        await onStep("verify");
        return options.verify?.({ cri, plan, observed, changed });
      };
      const verification = changed
        ? await transaction.run(
            { ...change, restart },
            {
              binary: observed.binary,
              configPath: observed.configPath,
              socketPath: observed.socketPath,
              restartSeconds: options.restartTimeout ?? 120,
              onStep,
              afterSwap: verify,
            },
          )
        : await verify();
      return {
        plan,
        observed,
        holder,
        changed,
        restarts: transaction.restarts,
        verification,
        notes: [...recovered, ...plan.notes, ...change.notes],
        roundTrips: session.roundTrips,
      };
    } finally {
      cri.close();
    }
  });
}

export interface RestoreOptions {
  owner: NodeOwner;
  hostsDirs?: string[];
  layout?: LayoutChoice;
  restartTimeout?: number;
  criTimeout?: number;
  onStep?: StepListener;
}

export interface RestoreResult {
  /** Left as it is, where it belongs to a `namesake` or `other` by now. */
  holder: Holder;
  /** As it was on the node. */
  record: NodeRecord | undefined;
  changed: boolean;
  restarts: number;
  notes: Finding[];
}

/**
 * Delete: what stood on the node before us comes back byte for byte, with its times, owners and modes; what we added
 * goes. Doing it twice is no error, nor is a node that has passed to another resource, which may be the one that
 * replaces this one: that is left alone.
 *
 * A file that somebody changed after us: of containerd's configuration only our part is taken out. Where that cannot
 * be, because they changed the very lines that we wrote or containerd refuses what they made of it, and for any other
 * file, their version is kept beside as FILE.changed-ID, and the original comes back.
 */
export async function restoreNode(node: Node, options: RestoreOptions): Promise<RestoreResult> {
  return withNodeLock(node, options, async (session, transaction, recovered, seen) => {
    const onStep = options.onStep ?? (() => {});
    await onStep("observe");
    // A node whose containerd is down can still get its files back.
    const observed = await observeNode(session, node.name, {
      ...readingOf(options),
      allowDown: true,
      allowMoved: true,
      first: seen,
    });
    const holder = holderOf(observed.record, options.owner);
    const { record } = observed;
    if (holder === "namesake" || holder === "other") {
      return {
        holder,
        record,
        changed: false,
        restarts: 0,
        notes: recovered,
      };
    }
    const running = observed.serviceState === "active" && observed.unitState === "loaded";
    const change: ChangeSet = changeToRestore(node.name, observed, transaction.id, await savedTexts(session, observed));
    const changed = change.operations.length > 0;
    if (changed) {
      const cri = node.cri(observed.socketPath);
      try {
        await transaction.run(
          { ...change, restart: change.restart && running },
          {
            binary: observed.binary,
            configPath: observed.configPath,
            socketPath: observed.socketPath,
            restartSeconds: options.restartTimeout ?? 120,
            onStep,
            afterSwap: async () => {
              if (change.restart && running && !isCriDisabled(observed)) {
                await onStep("cri");
                await cri.waitReady((options.criTimeout ?? 60) * 1000);
              }
            },
          },
        );
      } finally {
        cri.close();
      }
    }
    await session.request("leave");
    if (change.restart && !running) {
      const state = observed.unitState === "masked" ? "masked" : observed.serviceState;
      change.notes.push(
        findingAbout("containerd", " ", {
          kind: "not-restarted",
          severity: "note",
          text: `was not restarted, because it is ${state}`,
        }),
      );
    }
    return {
      holder,
      record,
      changed,
      restarts: transaction.restarts,
      notes: [...recovered, ...change.notes],
    };
  });
}

type Readable = Pick<ApplyOptions<unknown>, "hostsDirs" | "layout">;

function readingOf({ hostsDirs = [], layout }: Readable): { hostsDirs: string[]; layout?: LayoutChoice } {
  return { hostsDirs, ...(layout === undefined ? {} : { layout }) };
}

async function withNodeLock<R>(
  node: Node,
  options: Readable & { owner: NodeOwner; lockTimeout?: number; onStep?: StepListener },
  work: (session: ShellSession, transaction: Transaction, recovered: Undone[], observed: Reply) => Promise<R>,
): Promise<R> {
  const session = await node.session();
  try {
    const transaction = new Transaction(session, node.name, node.ctx);
    await options.onStep?.("lock");
    const holder = `${options.owner.urn} on ${hostname()}, process ${process.pid}, run ${randomBytes(2).toString("hex")}`;
    const { recovered, observed } = await transaction.begin(
      holder,
      (options.lockTimeout ?? 120) * 1000,
      observeCommand(options.hostsDirs ?? [], options.layout),
    );
    const result = await work(session, transaction, recovered, observed);
    await options.onStep?.("done");
    return result;
  } catch (error) {
    // A node that was refused (a configuration that does not parse, say) keeps nothing of ours, not even the lock file.
    await session.request("leave").catch(() => undefined);
    throw error;
  } finally {
    await session.close();
  }
}
