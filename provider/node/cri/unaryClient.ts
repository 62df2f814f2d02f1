import * as http2 from "node:http2";
import type { Duplex } from "node:stream";

/** A gRPC status other than OK, or a call that came to none. */
export class GrpcError extends Error {
  /** gRPC status code; 14 (UNAVAILABLE) also when the connection went, 4 (DEADLINE_EXCEEDED) when the time was over. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const grpcStatus = { deadlineExceeded: 4, notFound: 5, unimplemented: 12, unavailable: 14 } as const;

const maxMessage = 64 * 1024 * 1024;

/**
 * Unary gRPC calls over one stream. gRPC is HTTP/2 with five bytes before each message, so Node's own client does it on
 * the SSH channel itself; @grpc/grpc-js can only dial an address, which would mean a socket on the admin's machine that
 * its other users could knock at.
 */
export class UnaryClient {
  private readonly session: http2.ClientHttp2Session;
  private failure: Error | undefined;

  constructor(stream: Duplex) {
    // Its program on the node may be gone before we listen: a session on such a stream waits for ever.
    if (stream.destroyed || !stream.writable) {
      this.failure = new Error("the connection to containerd's socket was closed");
    }
    // The authority that containerd's socket is dialled with by everyone else; grpc-go refuses an empty one.
    this.session = http2.connect("http://localhost", { createConnection: () => stream });
    this.session.on("error", (error: Error) => {
      this.failure = error;
    });
    this.session.on("close", () => {
      this.failure ??= new Error("the connection to containerd's socket was closed");
      stream.destroy();
    });
  }

  get closed(): boolean {
    return this.failure !== undefined || this.session.closed || this.session.destroyed;
  }

  call(path: string, message: Buffer, timeoutMs: number, signal?: AbortSignal): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.closed) {
        reject(new GrpcError(grpcStatus.unavailable, this.failure?.message ?? "closed"));
        return;
      }
      const request = this.session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        "grpc-timeout": `${Math.min(99_999_999, timeoutMs)}m`,
      });
      const chunks: Buffer[] = [];
      let size = 0;
      let status: number | undefined;
      let detail = "";
      const readStatus = (headers: http2.IncomingHttpHeaders) => {
        const code = headers["grpc-status"];
        if (code !== undefined) {
          status = Number(code);
          detail = decodeGrpcMessage(String(headers["grpc-message"] ?? ""));
        }
      };
      const timer = setTimeout(
        () => finish(new GrpcError(grpcStatus.deadlineExceeded, `no answer within ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
      const onAbort = () => finish(new GrpcError(1, "interrupted"));
      signal?.addEventListener("abort", onAbort);
      const finish = (error?: Error) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        if (error) {
          request.close(http2.constants.NGHTTP2_CANCEL);
          reject(error);
        }
      };
      request.on("response", (headers) => {
        if (headers[":status"] !== 200) {
          finish(new GrpcError(grpcStatus.unavailable, `HTTP status ${headers[":status"]}`));
        }
        // An error without a message comes as headers alone.
        readStatus(headers);
      });
      request.on("trailers", readStatus);
      request.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxMessage) {
          finish(new GrpcError(8, "the answer is too large"));
        } else {
          chunks.push(chunk);
        }
      });
      request.on("error", (error: Error) => finish(new GrpcError(grpcStatus.unavailable, error.message)));
      request.on("close", () =>
        finish(new GrpcError(grpcStatus.unavailable, this.failure?.message ?? "the call was cut off")),
      );
      request.on("end", () => {
        if (status === undefined) {
          return;
        }
        if (status !== 0) {
          finish(new GrpcError(status, detail || `status ${status}`));
          return;
        }
        const body = Buffer.concat(chunks);
        if (body.length < 5 || body[0] !== 0 || body.readUInt32BE(1) !== body.length - 5) {
          finish(new GrpcError(13, "the answer is malformed"));
          return;
        }
        finish();
        resolve(body.subarray(5));
      });
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      request.end(Buffer.concat([head, message]));
    });
  }

  close(): void {
    this.session.close();
    this.session.destroy();
  }
}

/** grpc-message is percent-encoded UTF-8. */
function decodeGrpcMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
