import type { Readable } from "node:stream";

/** One exchange on the wire, without any retry, redirect or authentication. */
export interface HttpRequest {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body?: Buffer | Readable;
  /** Time to wait for the answer's head once the request is sent, or while the server takes nothing more of it. */
  headersTimeoutMs: number;
  signal: AbortSignal;
}

export interface HttpResponse {
  status: number;
  /** Lower-case name -> value; repeated headers are joined with ", ". */
  headers: Record<string, string>;
  body: Buffer;
}

/** An answer whose body flows. It has to be read to its end, or destroyed. */
export interface HttpStreamResponse extends Omit<HttpResponse, "body"> {
  body: Readable;
}
