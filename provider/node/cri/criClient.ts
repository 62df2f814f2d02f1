import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import { messageOf } from "../../model/errors";
import { isNodeError, NodeError, quoteRemote } from "../nodeError";
import {
  type CriContainer,
  type CriImage,
  type CriListedImage,
  type CriMethod,
  type CriStatus,
  type CriVersion,
  decodeResponse,
  encodeRequest,
  methodPath,
} from "./criService";
import { GrpcError, grpcStatus, UnaryClient } from "./unaryClient";

export interface CriOptions {
  node: string;
  open: () => Promise<Duplex>;
  signal: AbortSignal;
  /** For everything but pulls. Default 20 s. */
  callTimeoutMs?: number;
}

/**
 * containerd's CRI, as the kubelet uses it. Methods throw `NODE_CRI` with containerd's own message; `status` of the
 * cause (GrpcError) is the gRPC status.
 */
export class CriClient {
  private client: UnaryClient | undefined;
  private opening: Promise<UnaryClient> | undefined;
  private readonly left: UnaryClient[] = [];
  private shut = false;

  constructor(private readonly options: CriOptions) {}

  async version(): Promise<CriVersion> {
    return (await this.call("Version", {})) as unknown as CriVersion;
  }

  async status(verbose = false): Promise<CriStatus> {
    const answer = (await this.call("Status", { verbose })) as {
      status?: { conditions?: CriStatus["conditions"] };
      info?: Record<string, string>;
    };
    return { conditions: answer.status?.conditions ?? [], info: answer.info ?? {} };
  }

  /** Pulls as a pod would. Gives the image's id. `timeoutMs` default 10 minutes. */
  async pullImage(image: string, timeoutMs = 600_000): Promise<string> {
    const answer = await this.call("PullImage", { image: { image } }, timeoutMs);
    return String(answer["imageRef"]);
  }

  /** Undefined when the node does not have it. */
  async imageStatus(image: string): Promise<CriImage | undefined> {
    const answer = await this.call("ImageStatus", { image: { image } });
    const found = answer["image"] as CriImage | null | undefined;
    return found && found.id !== ""
      ? { id: found.id, repoTags: found.repoTags, repoDigests: found.repoDigests }
      : undefined;
  }

  /** All that lie on the node. */
  async listImages(): Promise<CriListedImage[]> {
    const { images } = (await this.call("ListImages", {})) as { images?: CriListedImage[] };
    return (images ?? []).map(({ id, repoTags, repoDigests, pinned }) => ({ id, repoTags, repoDigests, pinned }));
  }

  /** All that there are, stopped ones too. */
  async listContainers(): Promise<CriContainer[]> {
    const { containers } = (await this.call("ListContainers", {})) as {
      containers?: { image?: { image?: string } | null; imageRef: string; imageId: string }[];
    };
    return (containers ?? []).map(({ image, imageRef, imageId }) => ({
      images: [image?.image ?? "", imageRef, imageId].filter((one) => one !== ""),
    }));
  }

  /** No error when it is not there. */
  async removeImage(image: string): Promise<void> {
    await this.call("RemoveImage", { image: { image } });
  }

  /**
   * Waits until CRI answers and says it is ready. A daemon whose CRI plugin did not load is up and answers
   * `Unimplemented` to everything: that never gets better by waiting, but the first moments after a start look the
   * same, hence the short grace.
   */
  async waitReady(limitMs: number): Promise<CriVersion> {
    const until = Date.now() + limitMs;
    const started = Date.now();
    let last: unknown;
    while (Date.now() < until) {
      try {
        const version = await this.version();
        const { conditions } = await this.status();
        await this.call("ImageStatus", { image: { image: "registry-mirror.invalid/ready:check" } });
        // NetworkReady is the CNI plugin's business, and false on a node that has not joined its cluster yet.
        const runtime = conditions.find((c) => c.type === "RuntimeReady");
        if (runtime?.status === true) {
          return version;
        }
        last = new NodeError(
          "NODE_CRI",
          this.options.node,
          `containerd says that its runtime is not ready: ${quoteRemote(runtime?.message ?? runtime?.reason ?? "no reason given", 200)}`,
        );
      } catch (error) {
        if (isNodeError(error, "NODE_LOST", "NODE_ABORTED", "NODE_SUDO")) {
          throw error;
        }
        last = error;
        if (unimplemented(error) && Date.now() - started > Math.min(5000, limitMs / 2)) {
          break;
        }
      }
      if (this.options.signal.aborted) {
        break;
      }
      await sleep(150, undefined, { signal: this.options.signal }).catch(() => undefined);
    }
    throw new NodeError(
      "NODE_CRI",
      this.options.node,
      unimplemented(last)
        ? 'containerd runs, but its CRI plugin did not load (every call is answered Unimplemented); see journalctl -u containerd for "failed to load plugin"'
        : `containerd's CRI did not answer within ${Math.round(limitMs / 1000)} s: ${last instanceof NodeError ? last.detail : messageOf(last)}`,
      { cause: last },
    );
  }

  close(): void {
    this.shut = true;
    [this.client, ...this.left].forEach((client) => client?.close());
  }

  private async call(
    method: CriMethod,
    message: Record<string, unknown>,
    timeoutMs = this.options.callTimeoutMs ?? 20_000,
  ): Promise<Record<string, unknown>> {
    const client = await this.connect();
    try {
      return decodeResponse(
        method,
        await client.call(methodPath(method), encodeRequest(method, message), timeoutMs, this.options.signal),
      );
    } catch (error) {
      if (error instanceof GrpcError && error.status === grpcStatus.deadlineExceeded) {
        // Whether this connection is worth anything nobody knows. The next call takes another; those under way go on.
        this.left.push(client);
        this.client = undefined;
      }
      if (this.options.signal.aborted) {
        throw new NodeError("NODE_ABORTED", this.options.node, `the operation was interrupted during ${method}`, {
          cause: error,
        });
      }
      throw new NodeError(
        "NODE_CRI",
        this.options.node,
        `containerd's CRI refused ${method}: ${quoteRemote(messageOf(error))}`,
        { cause: error },
      );
    }
  }

  /** A restart of containerd closes the stream; the next call opens another. */
  private async connect(): Promise<UnaryClient> {
    if (this.shut) {
      throw new NodeError("NODE_CRI", this.options.node, "the CRI client is closed");
    }
    if (this.client && !this.client.closed) {
      return this.client;
    }
    this.opening ??= this.options
      .open()
      .then((stream) => new UnaryClient(stream))
      .finally(() => {
        this.opening = undefined;
      });
    this.client = await this.opening;
    return this.client;
  }
}

function unimplemented(error: unknown): boolean {
  return (
    error instanceof NodeError && error.cause instanceof GrpcError && error.cause.status === grpcStatus.unimplemented
  );
}
