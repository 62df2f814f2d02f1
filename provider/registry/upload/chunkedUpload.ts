import type { Readable } from "node:stream";

import type { Digest } from "../../model/digest";
import type { Scope } from "../auth/authorizer";
import { isTransientStatus, parseRetryAfter } from "../http/retry";
import type { Sender, SendResponse } from "../http/sender";
import { isTransientFailure } from "../http/sender";
import { RegistryError } from "../registryError";
import { commitUrl, uploadLocation } from "./uploadLocation";

export interface ChunkedUpload {
  begun: SendResponse;
  body: Buffer | Readable;
  /** Bytes a chunk. */
  size: number;
  digest: Digest;
  scopes: Scope[];
  signal: AbortSignal;
  /** Called with each new place at which the upload goes on. */
  moved: (to: URL) => void;
}

const smallestChunk = 256 * 1024;
const maxRepairs = 8;

/**
 * Sends a blob in chunks, in order (distribution-spec v1.1.1, "Pushing a blob in chunks"), and commits it. Each chunk
 * is held in memory, so that after a broken connection or a 416 the registry is asked how far it got, and only the rest
 * is sent.
 *
 * @returns the answer to the commit, or to the chunk that the registry finally refused.
 */
export async function sendChunks(sender: Sender, upload: ChunkedUpload): Promise<SendResponse> {
  let at = uploadLocation(upload.begun, sender);
  let offset = 0;
  let size = upload.size;
  const chunks = chunksOf(upload.body, () => size);
  for await (const chunk of chunks) {
    let from = 0;
    let repairs = 0;
    while (from < chunk.length) {
      const part = chunk.subarray(from, from + size);
      const first = offset + from;
      let response: SendResponse | undefined;
      try {
        response = await sender.send({
          method: "PATCH",
          url: at,
          headers: {
            "content-type": "application/octet-stream",
            "content-length": String(part.length),
            // The specification's form has no "bytes " in front.
            "content-range": `${first}-${first + part.length - 1}`,
          },
          body: part,
          scopes: upload.scopes,
          once: true,
          signal: upload.signal,
        });
      } catch (error) {
        if (!isTransientFailure(error)) {
          throw error;
        }
        if (
          ++repairs > maxRepairs ||
          !(await sender.waitAfter(repairs, undefined, (error as Error).message, upload.signal))
        ) {
          throw error;
        }
      }
      if (response?.status === 413 && size > smallestChunk) {
        size = Math.max(smallestChunk, size >> 1);
        continue;
      }
      // ECR answers 201 to a chunk.
      if (response !== undefined && (response.status === 202 || response.status === 201 || response.status === 204)) {
        at = response.headers["location"] === undefined ? at : uploadLocation(response, sender);
        upload.moved(at);
        from += part.length;
        continue;
      }
      if (response !== undefined && isTransientStatus(response.status)) {
        const wait = parseRetryAfter(response.headers["retry-after"]);
        if (
          ++repairs > maxRepairs ||
          !(await sender.waitAfter(repairs, wait, `PATCH: ${response.status}`, upload.signal))
        ) {
          return response;
        }
      } else if (response !== undefined && response.status !== 416) {
        return response;
      }
      if (response?.status === 416 && ++repairs > maxRepairs) {
        return response;
      }
      const state = await getUploadStatus(sender, upload, at);
      if (state === undefined || state.next < offset || state.next > offset + chunk.length) {
        throw new RegistryError(
          "REGISTRY_CONNECTION_LOST",
          `blob ${upload.digest}: the registry lost the upload after ${offset} bytes.`,
        );
      }
      at = state.location;
      upload.moved(at);
      from = state.next - offset;
    }
    offset += chunk.length;
  }
  return sender.send({
    method: "PUT",
    url: commitUrl(at, upload.digest),
    scopes: upload.scopes,
    commit: true,
    signal: upload.signal,
  });
}

/** How far the registry got: `Range: 0-N` means that N + 1 bytes are there. */
async function getUploadStatus(
  sender: Sender,
  upload: ChunkedUpload,
  at: URL,
): Promise<{ next: number; location: URL } | undefined> {
  const response = await sender.send({ method: "GET", url: at, scopes: upload.scopes, signal: upload.signal });
  if (response.status !== 204 && response.status !== 200 && response.status !== 202) {
    return undefined;
  }
  const range = /^(?:bytes=)?0-(\d+)$/.exec(response.headers["range"] ?? "");
  // distribution says 0-0 for an empty upload, too; nobody sends chunks of one byte.
  const end = range === null ? 0 : Number(range[1]);
  return {
    next: end === 0 ? 0 : end + 1,
    location: response.headers["location"] === undefined ? at : uploadLocation(response, sender),
  };
}

async function* chunksOf(body: Buffer | Readable, size: () => number): AsyncGenerator<Buffer> {
  if (Buffer.isBuffer(body)) {
    for (let at = 0; at < body.length;) {
      const chunk = body.subarray(at, at + size());
      at += chunk.length;
      yield chunk;
    }
    return;
  }
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    parts.push(chunk);
    length += chunk.length;
    if (length >= size()) {
      yield Buffer.concat(parts);
      parts = [];
      length = 0;
    }
  }
  if (length > 0) {
    yield Buffer.concat(parts);
  }
}
