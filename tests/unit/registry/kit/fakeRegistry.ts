import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createPlainServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";

import type { Digest } from "../../../../provider/model/digest";
import { sha256 } from "../../../../provider/model/digest";

/** One request as the registry saw it. */
export interface SeenRequest {
  method: string;
  /** Without the query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  /** Bytes of the body, as far as it was read. */
  bytes: number;
  status: number;
}

export interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  method: string;
  path: string;
  query: URLSearchParams;
  /** How often this method and path have been asked before. */
  nth: number;
  answer: (status: number, body?: unknown, headers?: Record<string, string>) => void;
  /** Cuts the connection. */
  cut: () => void;
  body: () => Promise<Buffer>;
}

/** May answer a call in the registry's place: true = done. */
export type Script = (call: Call) => boolean | Promise<boolean>;

interface Upload {
  repository: string;
  bytes: Buffer;
}

/**
 * A registry of the distribution specification in memory, correct by itself; a script answers in its place where a test
 * wants something else (regclient's reqresp is the pattern).
 */
export class FakeRegistry {
  readonly requests: SeenRequest[] = [];
  readonly manifests = new Map<string, { mediaType: string; bytes: Buffer }>();
  readonly tags = new Map<string, Digest>();
  readonly blobs = new Map<string, Buffer>();
  script: Script | undefined;
  /** Where uploads are continued: `relative`, `absolute`, or a prefix of another place. */
  locations: "relative" | "absolute" = "relative";
  mounts = true;
  referrersApi = false;
  tagLists = false;
  /** Refuses an index whose children it lacks. */
  strictIndex = true;
  private readonly uploads = new Map<string, Upload>();
  private readonly counts = new Map<string, number>();
  private readonly sockets = new Set<Socket>();
  private nextUpload = 1;
  private server: Server | undefined;

  constructor(private readonly tls?: { cert: string; key: string }) {}

  async start(): Promise<this> {
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.serve(request, response).catch((error: unknown) => response.destroy(error as Error));
    };
    const server = this.tls === undefined ? createPlainServer(listener) : createTlsServer(this.tls, listener);
    server.on("connection", (socket: Socket) => {
      this.sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.sockets.delete(socket));
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get port(): number {
    return (this.server?.address() as AddressInfo).port;
  }

  get hostPort(): string {
    return `127.0.0.1:${this.port}`;
  }

  get url(): string {
    return `${this.tls === undefined ? "http" : "https"}://${this.hostPort}`;
  }

  get connections(): number {
    return this.sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) {
      socket.destroy();
    }
    await new Promise((resolve) => this.server?.close(resolve));
  }

  /** Requests by method and a pattern on the path. */
  seen(method: string, path: RegExp): SeenRequest[] {
    return this.requests.filter((request) => request.method === method && path.test(request.path));
  }

  hasBlob(repository: string, digest: Digest): boolean {
    return this.blobs.has(`${repository}@${digest}`);
  }

  tagged(repository: string, tag: string): Digest | undefined {
    return this.tags.get(`${repository}:${tag}`);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://x");
    const method = request.method ?? "GET";
    const seen: SeenRequest = {
      method,
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      bytes: 0,
      status: 0,
    };
    this.requests.push(seen);
    const key = `${method} ${url.pathname}`;
    const nth = this.counts.get(key) ?? 0;
    this.counts.set(key, nth + 1);
    let read: Promise<Buffer> | undefined;
    const call: Call = {
      request,
      response,
      method,
      path: url.pathname,
      query: url.searchParams,
      nth,
      answer: (status, body, headers = {}) => {
        seen.status = status;
        const bytes =
          body === undefined
            ? Buffer.alloc(0)
            : Buffer.isBuffer(body)
              ? body
              : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
        response.writeHead(status, { "content-length": String(bytes.length), ...headers });
        response.end(method === "HEAD" ? undefined : bytes);
      },
      cut: () => void request.socket.destroy(),
      body: () => {
        read ??= new Promise((resolve, reject) => {
          const parts: Buffer[] = [];
          request.on("data", (chunk: Buffer) => {
            seen.bytes += chunk.length;
            parts.push(chunk);
          });
          request.once("end", () => resolve(Buffer.concat(parts)));
          request.once("error", reject);
          request.once("close", () => reject(new Error("the client went away")));
        });
        return read;
      },
    };
    if ((await this.script?.(call)) === true) {
      return;
    }
    await this.api(call);
  }

  private async api(call: Call): Promise<void> {
    const { method, path } = call;
    if (path === "/v2/") {
      call.answer(200, {});
      return;
    }
    const upload = /^\/v2\/(.+)\/blobs\/uploads\/(\d*)$/.exec(path);
    if (upload !== null) {
      await this.upload(call, upload[1] as string, upload[2] as string);
      return;
    }
    const blob = /^\/v2\/(.+)\/blobs\/(sha256:[0-9a-f]{64})$/.exec(path);
    if (blob !== null) {
      const found = this.blobs.get(`${blob[1] as string}@${blob[2] as string}`);
      call.answer(
        found === undefined ? 404 : 200,
        found,
        found === undefined ? {} : { "docker-content-digest": blob[2] as string },
      );
      return;
    }
    const manifest = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(path);
    if (manifest !== null) {
      await this.manifest(call, manifest[1] as string, manifest[2] as string);
      return;
    }
    const list = /^\/v2\/(.+)\/tags\/list$/.exec(path);
    if (list !== null && this.tagLists) {
      const name = list[1] as string;
      const tags = [...this.tags.keys()].filter((tag) => tag.slice(0, tag.lastIndexOf(":")) === name);
      call.answer(200, { name, tags: tags.map((tag) => tag.slice(name.length + 1)) });
      return;
    }
    call.answer(404, refusal("UNSUPPORTED", `${method} ${path}`));
  }

  private async upload(call: Call, repository: string, id: string): Promise<void> {
    const { method, query } = call;
    const location = (upload: string): string =>
      `${this.locations === "absolute" ? this.url : ""}/v2/${repository}/blobs/uploads/${upload}?_state=a%2Bb%3D${upload}`;
    if (method === "POST" && id === "") {
      await call.body();
      const mount = query.get("mount");
      const from = query.get("from");
      const held = mount === null ? undefined : this.blobs.get(`${from}@${mount}`);
      if (this.mounts && mount !== null && held !== undefined) {
        this.blobs.set(`${repository}@${mount}`, held);
        call.answer(201, undefined, { location: `/v2/${repository}/blobs/${mount}`, "docker-content-digest": mount });
        return;
      }
      const next = String(this.nextUpload++);
      this.uploads.set(next, { repository, bytes: Buffer.alloc(0) });
      call.answer(202, undefined, { location: location(next), range: "0-0" });
      return;
    }
    const held = this.uploads.get(id);
    // A registry loses an upload whose state does not come back to it.
    if (held?.repository !== repository || query.get("_state") !== `a+b=${id}`) {
      await call.body().catch(() => {});
      call.answer(404, refusal("BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"));
      return;
    }
    const range = { range: `0-${Math.max(0, held.bytes.length - 1)}`, location: location(id) };
    if (method === "GET") {
      call.answer(204, undefined, range);
    } else if (method === "DELETE") {
      this.uploads.delete(id);
      call.answer(204);
    } else if (method === "PATCH") {
      const first = Number(/^(\d+)-\d+$/.exec(call.request.headers["content-range"] ?? "")?.[1] ?? "0");
      if (first !== held.bytes.length) {
        await call.body();
        call.answer(416, refusal("RANGE_INVALID", "invalid content range"), range);
        return;
      }
      held.bytes = Buffer.concat([held.bytes, await call.body()]);
      call.answer(202, undefined, { location: location(id), range: `0-${held.bytes.length - 1}` });
    } else if (method === "PUT") {
      const bytes = Buffer.concat([held.bytes, await call.body()]);
      const digest = query.get("digest") ?? "";
      this.uploads.delete(id);
      if (sha256(bytes) !== digest) {
        call.answer(400, refusal("DIGEST_INVALID", "provided digest did not match uploaded content"));
        return;
      }
      this.blobs.set(`${repository}@${digest}`, bytes);
      call.answer(201, undefined, { location: `/v2/${repository}/blobs/${digest}`, "docker-content-digest": digest });
    }
  }

  private async manifest(call: Call, repository: string, reference: string): Promise<void> {
    const { method } = call;
    const digest = reference.startsWith("sha256:") ? reference : this.tags.get(`${repository}:${reference}`);
    const held = digest === undefined ? undefined : this.manifests.get(`${repository}@${digest}`);
    if (method === "GET" || method === "HEAD") {
      if (held === undefined) {
        call.answer(404, refusal("MANIFEST_UNKNOWN", "manifest unknown"));
        return;
      }
      call.answer(200, held.bytes, { "content-type": held.mediaType, "docker-content-digest": digest as string });
      return;
    }
    if (method === "DELETE") {
      const there = this.manifests.delete(`${repository}@${reference}`);
      for (const [tag, target] of this.tags) {
        if (target === reference && tag.startsWith(`${repository}:`)) {
          this.tags.delete(tag);
        }
      }
      call.answer(there ? 202 : 404);
      return;
    }
    const bytes = await call.body();
    const json = JSON.parse(bytes.toString()) as {
      config?: { digest: string };
      layers?: { digest: string }[];
      manifests?: { digest: string }[];
      subject?: { digest: string };
    };
    for (const blob of [json.config, ...(json.layers ?? [])]) {
      if (blob !== undefined && !this.blobs.has(`${repository}@${blob.digest}`)) {
        call.answer(400, refusal("MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", { digest: blob.digest }));
        return;
      }
    }
    for (const child of json.manifests ?? []) {
      if (
        this.strictIndex &&
        !this.manifests.has(`${repository}@${child.digest}`) &&
        !reference.startsWith("sha256-")
      ) {
        call.answer(
          400,
          refusal("MANIFEST_BLOB_UNKNOWN", "manifest references a manifest unknown to registry", {
            digest: child.digest,
          }),
        );
        return;
      }
    }
    const made = sha256(bytes);
    this.manifests.set(`${repository}@${made}`, { mediaType: call.request.headers["content-type"] ?? "", bytes });
    if (!reference.startsWith("sha256:")) {
      this.tags.set(`${repository}:${reference}`, made);
    }
    call.answer(201, undefined, {
      location: `/v2/${repository}/manifests/${made}`,
      "docker-content-digest": made,
      ...(this.referrersApi && json.subject !== undefined ? { "oci-subject": json.subject.digest } : {}),
    });
  }
}

export function refusal(
  code: string,
  message: string,
  detail?: unknown,
): { errors: { code: string; message: string; detail?: unknown }[] } {
  return { errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] };
}
