import { setTimeout as sleep } from "node:timers/promises";

import { silentLog } from "../../../provider/model/context";
import { messageOf } from "../../../provider/model/errors";
import type { CriClient, Node } from "../../../provider/node";
import { connectNode, isNodeError } from "../../../provider/node";
import { GrpcError, grpcStatus } from "../../../provider/node/cri/unaryClient";
import type { Lab, LabNode } from "../../lab/lab";

/**
 * Milliseconds between two pulls of a node, less than a restart takes: three nodes at full speed would leave a small
 * machine nothing for the rest.
 */
const pause = 200;

/** What a node's pulls came to. */
export interface PullLog {
  pulled: number;
  /** Containerd's own words for pulls that it answered with an error. */
  failed: string[];
  /** Pulls that a restart of containerd broke off: each was tried again when CRI was ready, as the kubelet does. */
  interrupted: number;
  /** The longest time from one success to the next, in milliseconds. */
  longestGap: number;
}

/**
 * Pulls on a node all the time, one image after the other, through CRI and by their public names, as a kubelet with
 * many pods would. Each image is removed again, so that the next pull asks a registry.
 */
export class PullTraffic {
  private readonly log: PullLog = { pulled: 0, failed: [], interrupted: 0, longestGap: 0 };
  private readonly running: Promise<void>;
  private ended = false;

  private constructor(
    private readonly node: Node,
    private readonly cri: CriClient,
    private readonly images: readonly string[],
  ) {
    this.running = this.run();
  }

  static async start(lab: Lab, { address: host, port, hostKey }: LabNode, images: string[]): Promise<PullTraffic> {
    const connection = { host, port, hostKey, privateKeyPath: lab.keys.plain.privateKeyPath };
    const node = await connectNode(connection, { signal: new AbortController().signal, log: silentLog });
    return new PullTraffic(node, node.cri(), images);
  }

  /** Waits until so many pulls that begin from now on have succeeded. */
  async more(count: number): Promise<void> {
    // The one that is under way may have begun before.
    const until = this.log.pulled + 1 + count;
    const deadline = Date.now() + 300_000;
    while (this.log.pulled < until) {
      if (Date.now() > deadline || this.log.failed.length > 0)
        throw new Error(`no ${count} pulls within five minutes: ${JSON.stringify(this.log)}`);
      await sleep(20);
    }
  }

  async end(): Promise<PullLog> {
    this.ended = true;
    await this.running;
    this.cri.close();
    this.node.close();
    return this.log;
  }

  private async run(): Promise<void> {
    let last = performance.now();
    for (let i = 0; !this.ended; i++) {
      await this.pull(this.images[i % this.images.length] as string);
      const now = performance.now();
      this.log.longestGap = Math.max(this.log.longestGap, now - last);
      last = now;
      await sleep(pause);
    }
  }

  private async pull(image: string): Promise<void> {
    for (;;) {
      try {
        await this.cri.removeImage(image);
        await this.cri.pullImage(image, 240_000);
        this.log.pulled++;
        return;
      } catch (error) {
        if (!isBrokenOff(error)) {
          this.log.failed.push(`${image}: ${messageOf(error)}`);
          return;
        }
        this.log.interrupted++;
        await this.cri.waitReady(240_000);
      }
    }
  }
}

/** No answer about the image: containerd went, or its socket is not there yet. */
function isBrokenOff(error: unknown): boolean {
  const { cause } = error as { cause?: unknown };
  return isNodeError(error, "NODE_CRI") && (!(cause instanceof GrpcError) || cause.status === grpcStatus.unavailable);
}
