import { RegistryError } from "../registryError";
import { StreamSpent } from "../upload/blobUpload";

/** One registry's contents that others might have to wait for. */
interface Lane {
  underWay: number;
  /** When the last of them ended, or the first was begun. */
  movedAt: number;
  leave: AbortController;
}

/**
 * Registries that hold up the others of a list. Contents that are in memory, or open, wait there until each registry has
 * them: one that ends none of them for a while, while another one has all that there is and waits for more, is left behind. It
 * gets the rest in a pass of its own.
 */
export class Laggards {
  private readonly lanes = new Map<object, Lane>();

  constructor(private readonly patienceMs: number) {}

  /** Another pass: everybody takes part. */
  reset(): void {
    this.lanes.clear();
  }

  /** @param work one registry's part with a content; the signal ends it when the registry is left behind */
  async run(registry: object, work: (leave: AbortSignal) => Promise<void>): Promise<void> {
    const lane = this.lane(registry);
    lane.movedAt = lane.underWay++ === 0 ? Date.now() : lane.movedAt;
    try {
      await work(lane.leave.signal);
    } finally {
      lane.underWay--;
      lane.movedAt = Date.now();
    }
  }

  /** What one content takes until there is room for the next. */
  async whileWaiting<T>(room: Promise<T>): Promise<T> {
    const timer = setInterval(() => this.leaveBehind(), Math.min(1000, this.patienceMs));
    try {
      return await room;
    } finally {
      clearInterval(timer);
    }
  }

  /** Leaves one behind. @returns what its uploads end with */
  leave(registry: object): Error {
    const reason = this.reason();
    this.lane(registry).leave.abort(reason);
    return reason;
  }

  isLeft(registry: object): boolean {
    return this.lanes.get(registry)?.leave.signal.aborted === true;
  }

  private lane(registry: object): Lane {
    const lane = this.lanes.get(registry) ?? { underWay: 0, movedAt: 0, leave: new AbortController() };
    this.lanes.set(registry, lane);
    return lane;
  }

  private leaveBehind(): void {
    const lanes = [...this.lanes.values()].filter(({ leave }) => !leave.signal.aborted);
    if (lanes.every(({ underWay }) => underWay > 0)) {
      return;
    }
    for (const { underWay, movedAt, leave } of lanes) {
      if (underWay > 0 && Date.now() - movedAt > this.patienceMs) {
        leave.abort(this.reason());
      }
    }
  }

  private reason(): StreamSpent {
    const text = `nothing was taken for ${this.patienceMs / 1000} s while another registry waited.`;
    return new StreamSpent("contents", new RegistryError("REGISTRY_TIMEOUT", text));
  }
}
